//! The way over a broker, on a real server.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use annals_model::{Delivery, Message, ObjectKey, ObjectType, Operation, PartitionLease};
use annals_queue::{Broker, BrokerSettings, Error, Lane, Ledger, Login, Queue, Received, Standing, Tls};
use annals_testkit::Nats;
use futures::future::BoxFuture;

/// Nothing that is waited for takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn settings(server: &Nats, stream: &str) -> BrokerSettings {
    BrokerSettings {
        name: "test".to_owned(),
        servers: vec![server.url()],
        stream: stream.to_owned(),
        replicas: 1,
        duplicate_window: Duration::from_secs(120),
        silence_max: Duration::from_secs(1),
        patience: PATIENCE,
        login: Login::None,
        tls: Tls::default(),
    }
}

async fn connected(settings: BrokerSettings) -> Broker {
    let broker = Broker::connect(settings).await.unwrap();
    broker.check(1 << 20, true).await.unwrap();
    broker
}

/// What a history database would say.
#[derive(Debug, Default)]
struct Account {
    said: Mutex<Option<Standing>>,
    /// What writers wrote down, where that is asked.
    log: Mutex<Log>,
    written: AtomicU64,
}

/// Partitions and numbers of deliveries.
type Log = Arc<Mutex<Vec<(i32, u64)>>>;

impl Ledger for Account {
    fn standing<'l>(&'l self, lease: &'l PartitionLease, number: u64) -> BoxFuture<'l, Option<Standing>> {
        let is_written = self.log.lock().unwrap().lock().unwrap().contains(&(lease.partition, number));
        let found = if is_written { Standing::Written } else { Standing::Awaited };
        let said = *self.said.lock().unwrap();
        Box::pin(async move { said.or(Some(found)) })
    }

    fn written(&self, messages: u64) {
        self.written.fetch_add(messages, Ordering::Relaxed);
    }
}

fn queue(broker: &Broker) -> (Queue, Arc<Account>) {
    let account = Arc::new(Account::default());
    (broker.queue(1 << 20, account.clone()), account)
}

fn delivery(partition: i32, number: u64) -> Delivery {
    let message = Message {
        key: ObjectKey {
            source: Arc::from("s"),
            object_type: ObjectType::Role,
            object_id: number.to_string(),
        },
        name: "n".to_owned(),
        identity: None,
        occurred_ms: 1,
        observed_ms: 2,
        transform: Arc::from("t"),
        operation: Operation::Delete,
    };
    let lease = PartitionLease { run_id: 1, partition, epoch: 1 };
    Delivery { lease, number: Some(number), messages: vec![message], checkpoint: None }
}

/// The first delivery that comes on any of these lanes; the lanes again.
async fn first(lanes: Vec<Lane>) -> (Received, Vec<Lane>) {
    let waiting = lanes.into_iter().map(|mut lane| Box::pin(async move { (lane.next().await, lane) }));
    let ((received, lane), _, rest) =
        tokio::time::timeout(PATIENCE, futures::future::select_all(waiting)).await.expect("a delivery comes");
    // Those that were asked and did not answer are asked anew by whoever wants more: here nobody does.
    drop(rest);
    (received.expect("the broker serves"), vec![lane])
}

/// Writes down what comes, in its order, until told to stop: `partition/number`.
fn taking(broker: &Broker, log: &Log, who: u64) -> Vec<tokio::task::JoinHandle<()>> {
    let serve = |mut lane: Lane| {
        let log = Arc::clone(log);
        tokio::spawn(async move {
            while let Some(received) = lane.next().await {
                let (delivery, answer) = received.into_parts();
                tokio::time::sleep(Duration::from_millis(who)).await;
                log.lock().unwrap().push((delivery.lease.partition, delivery.number.unwrap()));
                answer.acknowledge().await;
            }
        })
    };
    broker.lanes(8).into_iter().map(serve).collect()
}

/// Two writers share five partitions: each partition's deliveries are written in their order, none twice, and who sent
/// them is told.
#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_written_in_their_order_by_any_number_of_writers() {
    let server = Nats::start().unwrap();
    let sender = connected(settings(&server, "ORDER")).await;
    let writers = [connected(settings(&server, "ORDER")).await, connected(settings(&server, "ORDER")).await];
    let log = Arc::default();
    let lanes: Vec<_> = writers.iter().zip(1..).flat_map(|(writer, who)| taking(writer, &log, who)).collect();
    let (queue, account) = queue(&sender);
    let sending = (0..5).map(|partition| {
        let queue = queue.clone();
        tokio::spawn(async move {
            let mut receipts = Vec::new();
            for number in 1..=20 {
                receipts.push(queue.publish(delivery(partition, number)).await.unwrap());
            }
            for receipt in receipts {
                assert_eq!(receipt.written().await, Ok(()));
            }
        })
    });
    for sent in futures::future::join_all(sending).await {
        sent.unwrap();
    }
    let log: Vec<(i32, u64)> = log.lock().unwrap().clone();
    for partition in 0..5 {
        let numbers: Vec<u64> = log.iter().filter(|(of, _)| *of == partition).map(|(_, n)| *n).collect();
        assert_eq!(numbers, (1..=20).collect::<Vec<u64>>(), "partition {partition}");
    }
    assert_eq!(account.written.load(Ordering::Relaxed), 100);
    assert!(sender.writers_listen().await);
    for writer in writers {
        writer.end();
    }
    for lane in lanes {
        lane.await.unwrap();
    }
}

/// A writer's answers reach who sent, word for word; a delivery that was refused does not come again.
#[tokio::test]
async fn a_receipt_tells_what_became_of_the_delivery() {
    let server = Nats::start().unwrap();
    let broker = connected(settings(&server, "ANSWERS")).await;
    assert!(!broker.writers_listen().await);
    let (queue, account) = queue(&broker);
    let answers =
        [Err(Error::Refused("disk full".to_owned())), Err(Error::Deferred("later".to_owned())), Ok(())];
    for (answer, number) in answers.into_iter().zip(1..) {
        let receipt = queue.publish(delivery(0, number)).await.unwrap();
        let (received, _) = first(broker.lanes(1)).await;
        assert_eq!((received.taken(), received.delivery.number), (1, Some(number)));
        let (got, asker) = received.into_parts();
        assert_eq!(got, delivery(0, number));
        match answer.clone() {
            Ok(()) => asker.acknowledge().await,
            Err(why) => asker.refuse(why).await,
        }
        assert_eq!(receipt.written().await, answer);
    }
    assert_eq!(account.written.load(Ordering::Relaxed), 1);
}

/// A delivery whose writer falls silent goes to another one, its number of takers counted; a writer that is at work
/// keeps it for as long as it takes.
#[tokio::test]
async fn what_a_silent_writer_has_goes_to_another_and_what_a_slow_one_has_does_not() {
    let server = Nats::start().unwrap();
    let broker = connected(settings(&server, "SILENT")).await;
    let (queue, _) = queue(&broker);
    let receipt = queue.publish(delivery(0, 1)).await.unwrap();
    let (received, _) = first(broker.lanes(1)).await;
    // Let go without an answer, as by a writer that died.
    drop(received);
    let (received, _) = first(broker.lanes(1)).await;
    assert_eq!(received.taken(), 2);
    // Three times the silence that is allowed, while another writer listens.
    let log = Arc::default();
    let others = connected(settings(&server, "SILENT")).await;
    let lanes = taking(&others, &log, 0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(log.lock().unwrap().as_slice(), []);
    received.into_parts().1.acknowledge().await;
    assert_eq!(receipt.written().await, Ok(()));
    others.end();
    for lane in lanes {
        lane.await.unwrap();
    }
    assert_eq!(log.lock().unwrap().as_slice(), []);
}

/// An answer that gets lost is found in the history database, whatever it says.
#[tokio::test]
async fn where_an_answer_gets_lost_the_history_database_has_it() {
    let server = Nats::start().unwrap();
    let broker = connected(settings(&server, "LOST")).await;
    let (queue, account) = queue(&broker);
    let receipt = queue.publish(delivery(0, 1)).await.unwrap();
    *account.said.lock().unwrap() = Some(Standing::Written);
    assert_eq!(receipt.written().await, Ok(()));
    let receipt = queue.publish(delivery(1, 1)).await.unwrap();
    *account.said.lock().unwrap() = Some(Standing::Stale);
    assert!(matches!(receipt.written().await, Err(Error::Refused(_))));

    // Gone from the broker with everything that it had, and not written: it is sent anew.
    *account.said.lock().unwrap() = None;
    let receipt = queue.publish(delivery(2, 1)).await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    async_nats::jetstream::new(client).delete_stream("LOST").await.unwrap();
    assert!(matches!(receipt.written().await, Err(Error::Deferred(_))));
    // The stream is made again by whoever sends next, and the lanes by whoever listens.
    let receipt = queue.publish(delivery(2, 1)).await.unwrap();
    let (received, _) = first(broker.lanes(1)).await;
    received.into_parts().1.acknowledge().await;
    assert_eq!(receipt.written().await, Ok(()));
}

/// While the broker is away, senders wait and go on when it is back; nothing is lost, nothing comes twice, and they do
/// not wait for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_and_comes_loses_nothing() {
    let mut server = Nats::start().unwrap();
    let (sender, writer) =
        (connected(settings(&server, "AWAY")).await, connected(settings(&server, "AWAY")).await);
    let log = Log::default();
    let lanes = taking(&writer, &log, 5);
    let (queue, account) = queue(&sender);
    *account.log.lock().unwrap() = Arc::clone(&log);
    let sending = tokio::spawn(async move {
        for number in 1..=60 {
            let receipt = queue.publish(delivery(0, number)).await.unwrap();
            assert_eq!(receipt.written().await, Ok(()), "{number}");
        }
    });
    for times in [10, 30] {
        let began = Instant::now();
        while log.lock().unwrap().len() < times {
            assert!(began.elapsed() < PATIENCE && !sending.is_finished(), "{times}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.start_again().unwrap();
    }
    tokio::time::timeout(PATIENCE, sending).await.expect("it goes on").unwrap();
    let log: Vec<(i32, u64)> = log.lock().unwrap().clone();
    let numbers: BTreeSet<u64> = log.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, (1..=60).collect());
    // One that was answered for when the server died may come again: its number tells.
    assert!(log.len() <= 62, "{log:?}");

    server.kill();
    let impatient = BrokerSettings { patience: Duration::from_millis(600), ..settings(&server, "AWAY") };
    server.start_again().unwrap();
    let impatient = connected(impatient).await;
    let (queue, _) = self::queue(&impatient);
    server.kill();
    while impatient.is_connected() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = queue.publish(delivery(0, 61)).await.unwrap_err();
    assert!(matches!(&refused, Error::Deferred(why) if why.contains("patienceSeconds")), "{refused:?}");
    drop(lanes);
}

/// Whoever waits for a writer, or for the broker, does not wait for long once the process ends.
#[tokio::test]
async fn the_end_of_the_process_ends_the_waiting() {
    let mut server = Nats::start().unwrap();
    let broker = connected(settings(&server, "END")).await;
    let (queue, _) = queue(&broker);
    let receipt = queue.publish(delivery(0, 1)).await.unwrap();
    let mut lanes = broker.lanes(1);
    let began = Instant::now();
    broker.end();
    assert!(matches!(receipt.written().await, Err(Error::Deferred(_))));
    assert!(lanes[3].next().await.is_none());
    server.kill();
    while broker.is_connected() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(matches!(queue.publish(delivery(0, 2)).await, Err(Error::Deferred(_))));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// A process that sends and takes writes what its own workers wait for before it ends; one that only takes ends at once.
#[tokio::test]
async fn a_process_that_does_both_ends_with_what_it_has_sent() {
    let server = Nats::start().unwrap();
    let broker = connected(settings(&server, "BOTH")).await;
    let (queue, _) = queue(&broker);
    let receipt = queue.publish(delivery(0, 1)).await.unwrap();
    let log = Arc::default();
    broker.end();
    let lanes = taking(&broker, &log, 0);
    assert_eq!(receipt.written().await, Ok(()));
    for lane in lanes {
        lane.await.unwrap();
    }
    let other = connected(settings(&server, "BOTH")).await;
    queue.publish(delivery(0, 2)).await.unwrap();
    other.end();
    for lane in taking(&other, &log, 0) {
        lane.await.unwrap();
    }
    assert_eq!(log.lock().unwrap().as_slice(), [(0, 1)]);
}

/// What came from somebody else is refused, and the lane goes on.
#[tokio::test]
async fn what_is_no_delivery_does_not_hold_a_lane_up() {
    let server = Nats::start().unwrap();
    let broker = connected(settings(&server, "ODD")).await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    context.publish("ODD.lane.1", "nonsense".into()).await.unwrap().await.unwrap();
    let (queue, _) = queue(&broker);
    let receipt = queue.publish(delivery(0, 1)).await.unwrap();
    let (received, _) = first(broker.lanes(1)).await;
    assert_eq!(received.delivery, delivery(0, 1));
    received.into_parts().1.acknowledge().await;
    assert_eq!(receipt.written().await, Ok(()));
}

/// A broker that cannot do what is asked of it is told so, with the way out.
#[tokio::test]
async fn a_broker_that_does_not_fit_is_named_with_the_way_out() {
    let unfit = |error: Error| match error {
        Error::Broker { why, help } => (why, help),
        other => panic!("{other:?}"),
    };
    let server = Nats::start_with("authorization: { user: annals, password: secret }").unwrap();
    let (why, help) = unfit(Broker::connect(settings(&server, "S")).await.unwrap_err());
    assert!(why.contains("authorization violation") && help.contains("password"), "{why} {help}");
    let login = Login::User("annals".to_owned(), "secret".to_owned());
    let known = BrokerSettings { login, ..settings(&server, "S") };
    let broker = Broker::connect(known.clone()).await.unwrap();
    let fit = broker.check(32 << 20, false).await.unwrap();
    assert_eq!((fit.deliveries, fit.payload_max, fit.writers_listen), (None, 64 << 20, false));
    assert_eq!(broker.check(32 << 20, true).await.unwrap().deliveries, None);
    assert_eq!(broker.check(32 << 20, true).await.unwrap().deliveries, Some(0));

    let (why, help) = unfit(broker.check(64 << 20, true).await.unwrap_err());
    assert!(why.contains("67108864") && help.contains("max_payload"), "{why} {help}");
    for stream in ["S", "NEW"] {
        let three = BrokerSettings { replicas: 3, stream: stream.to_owned(), ..known.clone() };
        let three = Broker::connect(three).await.unwrap();
        let (why, help) = unfit(three.check(1, true).await.unwrap_err());
        assert!(
            why.contains(&format!("stream {stream} ")) && help.contains("queue.nats.replicas"),
            "{why} {help}"
        );
    }

    let options =
        async_nats::ConnectOptions::with_user_and_password("annals".to_owned(), "secret".to_owned());
    let context = async_nats::jetstream::new(options.connect(server.url()).await.unwrap());
    let taken = async_nats::jetstream::stream::Config { name: "TAKEN".to_owned(), ..Default::default() };
    context.create_stream(taken).await.unwrap();
    let other = Broker::connect(BrokerSettings { stream: "TAKEN".to_owned(), ..known }).await.unwrap();
    let (why, help) = unfit(other.check(1, true).await.unwrap_err());
    assert!(why.contains("stream TAKEN") && help.contains("queue.nats.stream"), "{why} {help}");

    drop(server);
    let gone = Nats::start().unwrap();
    let lost = settings(&gone, "S");
    drop(gone);
    let (why, help) = unfit(Broker::connect(lost).await.unwrap_err());
    assert!(
        why.contains("cannot be reached at 127.0.0.1:") && help.contains("queue.nats.servers"),
        "{why} {help}"
    );
}
