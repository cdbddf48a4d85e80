# Does acts in Request Tracker by its own code. Each line of the standard input is an act in JSON, each line of the
# standard output its answer {"ok": ..., "message": ...}. Ends with its input.
use strict;
use warnings;
use utf8;

# Request Tracker asks Perl what time it is. An act `at` puts this clock, which must be in place before any module of
# Request Tracker is compiled, to another time.
our $now;

BEGIN {
    no warnings 'once';
    *CORE::GLOBAL::time      = sub ()    { $main::now // CORE::time() };
    *CORE::GLOBAL::gmtime    = sub (;$) { CORE::gmtime( @_    ? $_[0] : $main::now // CORE::time() ) };
    *CORE::GLOBAL::localtime = sub (;$) { CORE::localtime( @_ ? $_[0] : $main::now // CORE::time() ) };
}

use lib '/usr/local/share/request-tracker5/lib', '/usr/share/request-tracker5/lib';
use JSON::PP ();
use RT       ();
RT::LoadConfig();
RT::Init();
require RT::Shredder;
require RT::Shredder::Plugin;

$| = 1;
my $json = JSON::PP->new->utf8->canonical;
my $actor;

sub loaded {
    my ( $what, $name, $object ) = @_;
    die "no $what $name\n" unless $object->Id;
    return $object;
}

sub user {
    my $user = RT::User->new($actor);
    $user->Load( $_[0] );
    return loaded( 'user', $_[0], $user );
}

sub group {
    my $group = RT::Group->new($actor);
    $group->LoadUserDefinedGroup( $_[0] );
    return loaded( 'group', $_[0], $group );
}

sub queue {
    my $queue = RT::Queue->new($actor);
    $queue->Load( $_[0] );
    return loaded( 'queue', $_[0], $queue );
}

# {"user": name} or {"group": name}
sub holder { my ($who) = @_; return exists $who->{user} ? user( $who->{user} ) : group( $who->{group} ) }

# "system" or {"queue": name}
sub scope { my ($on) = @_; return ref $on ? queue( $on->{queue} ) : RT->System }

sub set {
    my ( $object, $field, $value ) = @_;
    my $method = "Set$field";
    return $object->$method($value);
}

my %does = (
    begin => sub {
        my ($a) = @_;
        undef $now;
        $actor = RT::CurrentUser->new( RT->SystemUser );
        $actor->Load( $a->{user} );
        loaded( 'user', $a->{user}, $actor );
        return ( 1, '' );
    },
    at          => sub { $now = $_[0]{epoch_s}; return ( 1, '' ) },
    create_user => sub {
        my ($a) = @_;
        return RT::User->new($actor)->Create(
            Name         => $a->{name},
            RealName     => $a->{real_name},
            EmailAddress => $a->{email} || "$a->{name}\@example.org",
            Privileged   => $a->{privileged} ? 1 : 0,
        );
    },
    set_user       => sub { my ($a) = @_; return set( user( $a->{name} ), $a->{field}, $a->{value} ) },
    set_privileged => sub { my ($a) = @_; return user( $a->{name} )->SetPrivileged( $a->{privileged} ? 1 : 0 ) },
    set_disabled   => sub { my ($a) = @_; return holder( $a->{who} )->SetDisabled( $a->{disabled} ? 1 : 0 ) },
    shred_user     => sub {
        my ($a) = @_;
        user( $a->{name} );
        RT::Shredder::Init( force => 1 );
        my $shredder = RT::Shredder->new;
        my $plugin   = RT::Shredder::Plugin->new;
        my @steps    = (
            sub { $plugin->LoadByName('Users') },
            sub { $plugin->TestArgs( name => $a->{name}, status => 'any', replace_relations => 'Nobody' ) },
        );
        for my $step (@steps) {
            my ( $ok, $message ) = $step->();
            return ( 0, $message ) unless $ok;
        }
        my ( $ok, @objects ) = $plugin->Run;
        return ( 0, $objects[0] ) unless $ok;
        $shredder->PutObjects( Objects => \@objects );
        ( $ok, my $message ) = $plugin->SetResolvers( Shredder => $shredder );
        return ( 0, $message ) unless $ok;
        $shredder->WipeoutAll;
        return ( 1, '' );
    },
    create_group => sub {
        my ($a) = @_;
        return RT::Group->new($actor)
            ->CreateUserDefinedGroup( Name => $a->{name}, Description => $a->{description} );
    },
    set_group     => sub { my ($a) = @_; return set( group( $a->{name} ), $a->{field}, $a->{value} ) },
    add_member    => sub { my ($a) = @_; return group( $a->{group} )->AddMember( holder( $a->{member} )->Id ) },
    remove_member => sub { my ($a) = @_; return group( $a->{group} )->DeleteMember( holder( $a->{member} )->Id ) },
    grant_right   => sub {
        my ($a) = @_;
        return holder( $a->{to} )->PrincipalObj->GrantRight( Right => $a->{right}, Object => scope( $a->{on} ) );
    },
    revoke_right => sub {
        my ($a) = @_;
        return holder( $a->{from} )->PrincipalObj->RevokeRight( Right => $a->{right}, Object => scope( $a->{on} ) );
    },
    create_queue => sub { my ($a) = @_; return RT::Queue->new($actor)->Create( Name => $a->{name} ) },
    add_watcher  => sub {
        my ($a) = @_;
        return queue( $a->{queue} )->AddWatcher( Type => $a->{role}, PrincipalId => holder( $a->{who} )->Id );
    },
    remove_watcher => sub {
        my ($a) = @_;
        return queue( $a->{queue} )->DeleteWatcher( Type => $a->{role}, PrincipalId => holder( $a->{who} )->Id );
    },
);

while ( my $line = <STDIN> ) {
    my $act = $json->decode($line);
    my ( $ok, $message ) = eval { $does{ $act->{act} }->($act) };
    ( $ok, $message ) = ( 0, $@ ) if $@;
    print $json->encode( { ok => $ok ? JSON::PP::true : JSON::PP::false, message => "" . ( $message // '' ) } ), "\n";

    # The next act must not be answered out of what this one remembered.
    DBIx::SearchBuilder::Record::Cachable->FlushCache;
}
