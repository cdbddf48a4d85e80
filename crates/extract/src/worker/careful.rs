//! Objects that may have killed a worker before: worked on apart, and noted beforehand as in hand.

use annals_model::{ObjectType, PartitionLease, Stage};
use annals_runs::Chunk;
use annals_runs::suspects::{self, Suspects};
use annals_sql::{Db, Tx, fault};

use super::{Extractor, Outbox, Progress, runs_error};
use crate::{Error, ImagePlan};

/// Deaths of workers after which an object is set apart.
const DEATHS_MAX: u32 = 3;

/// Into how many groups suspects are cut that one worker died over: each group costs a transaction more, and the second
/// death leaves one of them.
const GROUPS: usize = 50;

/// A chunk's ids by what is held against them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parted {
    /// Nothing.
    pub(super) innocent: Vec<String>,
    /// Workers died while these may have been in hand; they are worked on a group at a time.
    pub(super) groups: Vec<Group>,
    /// Too many did.
    pub(super) quarantined: Vec<String>,
}

/// Suspects that are worked on at a time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    ids: Vec<String>,
    /// Another death puts it into quarantine: nothing else of the kind may be in hand in this process meanwhile, which
    /// would die with it and be taken for as bad.
    last_chance: bool,
}

impl Parted {
    /// Those that most speaks against come last, so that the others are done when it happens again.
    pub(super) fn new(suspects: &Suspects, object_type: ObjectType, ids: Vec<String>) -> Self {
        let mut parted = Self::default();
        if suspects.is_empty() {
            parted.innocent = ids;
            return parted;
        }
        let (mut once, mut more) = (Vec::new(), Vec::new());
        for id in ids {
            let deaths = suspects.get(&(object_type, id.clone())).copied().unwrap_or_default();
            match deaths {
                0 => parted.innocent.push(id),
                1 => once.push(id),
                deaths if deaths < DEATHS_MAX => more.push(id),
                _ => parted.quarantined.push(id),
            }
        }
        let group_max = once.len().div_ceil(GROUPS).max(1);
        let groups = once.chunks(group_max).map(|ids| Group { ids: ids.to_vec(), last_chance: false });
        parted.groups.extend(groups);
        parted.groups.extend(more.into_iter().map(|id| Group { ids: vec![id], last_chance: true }));
        parted
    }
}

impl Extractor {
    /// Works on suspects; each group is written before the next one is taken in hand. `false` if it ends early.
    pub(super) async fn work_carefully(
        &self,
        history: &Db,
        chunk: Chunk,
        plan: &ImagePlan,
        parted: Parted,
        outbox: &mut Outbox<'_>,
        progress: &mut Progress,
    ) -> Result<bool, Error> {
        let lease = outbox.lease;
        for object_id in parted.quarantined {
            let error = format!(
                "{DEATHS_MAX} workers died while they worked on it; it is in quarantine until `annals failures retry`"
            );
            tracing::error!(
                object_type = %chunk.object_type,
                object = object_id,
                "{} {object_id} is put into quarantine",
                chunk.object_type
            );
            progress.state.counters.total_seen_objects += 1;
            let counters = &mut progress.state.counters;
            outbox.fail(chunk.object_type, object_id, Stage::Quarantine, error, counters);
        }
        for group in parted.groups {
            outbox.flush(progress).await?;
            let alone = if group.last_chance { Some(self.last_chances.lock().await) } else { None };
            let mut tx = begin(history, lease).await?;
            suspects::take_in_hand(&mut tx, lease, chunk.object_type, &group.ids)
                .await
                .map_err(|source| runs_error(lease, source))?;
            commit(tx, lease).await?;
            fault::point("worker.in_hand").map_err(|source| runs_error(lease, source.into()))?;
            let worked = self.work_on_ids(chunk, plan, &group.ids, outbox, progress).await?;
            if outbox.held.lost() {
                // By now the note of what is in hand is the new owner's.
                return Ok(false);
            }
            outbox.flush(progress).await?;
            let mut tx = begin(history, lease).await?;
            suspects::put_down(&mut tx, lease).await.map_err(|source| runs_error(lease, source))?;
            commit(tx, lease).await?;
            drop(alone);
            if !worked {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

async fn begin(history: &Db, lease: &PartitionLease) -> Result<Tx, Error> {
    history.begin().await.map_err(|source| runs_error(lease, source.into()))
}

async fn commit(tx: Tx, lease: &PartitionLease) -> Result<(), Error> {
    tx.commit().await.map_err(|source| runs_error(lease, source.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::Range<u32>) -> Vec<String> {
        range.map(|n| n.to_string()).collect()
    }

    #[test]
    fn a_chunk_without_suspects_is_left_whole() {
        let parted = Parted::new(&Suspects::new(), ObjectType::Role, ids(0..7));
        assert_eq!(parted, Parted { innocent: ids(0..7), ..Parted::default() });
    }

    /// 101 suspects after one death make groups of three, the last of two; after two deaths an object is alone and
    /// comes last; after three it is set apart. Another type's suspect of the same id does not count.
    #[test]
    fn suspects_are_parted_by_what_speaks_against_them() {
        let of = |range, deaths| ids(range).into_iter().map(move |id| ((ObjectType::Role, id), deaths));
        let mut suspects: Suspects = of(10..111, 1).chain(of(5..7, 2)).chain(of(8..9, 3)).collect();
        suspects.insert((ObjectType::Identity, "0".to_owned()), 3);
        let parted = Parted::new(&suspects, ObjectType::Role, ids(0..111));
        assert_eq!(parted.innocent, ["0", "1", "2", "3", "4", "7", "9"]);
        assert_eq!(parted.quarantined, ["8"]);
        let sizes: Vec<usize> = parted.groups.iter().map(|group| group.ids.len()).collect();
        assert_eq!(sizes, [vec![3; 33], vec![2, 1, 1]].concat());
        assert_eq!(parted.groups[33].ids, ["109", "110"]);
        let last: Vec<&Group> = parted.groups.iter().filter(|group| group.last_chance).collect();
        assert_eq!(last.iter().map(|group| group.ids[0].as_str()).collect::<Vec<_>>(), ["5", "6"]);
    }
}
