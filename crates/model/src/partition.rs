//! How a run is shared out: the number of partitions and what each gets (IIQ-28 to IIQ-31).

use crate::TaskArguments;

/// Partitions that each slot gets of a large run.
const SHARES_OF_A_SLOT: u32 = 6;

/// Number of partitions for `total` objects with `worker_slots` slots.
///
/// As many as there are slots, within the hints, unless `maxObjectsPerExtractPartition` needs more; never an empty one.
/// Where it needs more than the lower hint, the count is free up to the upper one: then each slot gets
/// [`SHARES_OF_A_SLOT`], so that the slots end at nearly the same time.
#[must_use]
pub fn partition_count(total: u64, worker_slots: u32, arguments: &TaskArguments) -> u64 {
    let needed = total.div_ceil(arguments.max_objects_per_extract_partition.max(1).into());
    let hinted = worker_slots.min(arguments.max_extract_partitions).max(arguments.min_extract_partitions);
    if needed <= hinted.into() {
        return total.min(hinted.into());
    }
    let even = worker_slots.saturating_mul(SHARES_OF_A_SLOT).min(arguments.max_extract_partitions);
    needed.max(even.into())
}

/// Deals an ordered list out to partitions of even size, in chunks of at most `lossLimit` objects of one type.
///
/// The list is as long as was counted beforehand, or somewhat longer because the source changed meanwhile: what is
/// over goes to the last partition while it has room, then to further ones.
#[derive(Debug, Clone)]
pub struct Dealer {
    sizes: Vec<u64>,
    objects_max: u64,
    loss_limit: u64,
    partition: usize,
    dealt: Vec<u64>,
}

/// Where the next objects of the list go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deal {
    /// Partition, from 0.
    pub partition: usize,
    /// How many objects of those offered.
    pub take: usize,
}

impl Dealer {
    /// A dealer for `total` objects in `partitions` partitions.
    #[must_use]
    pub fn new(total: u64, partitions: u64, arguments: &TaskArguments) -> Self {
        let sizes = (0..partitions).map(|i| total / partitions + u64::from(i < total % partitions)).collect();
        Self {
            sizes,
            objects_max: arguments.max_objects_per_extract_partition.max(1).into(),
            loss_limit: arguments.loss_limit.max(1).into(),
            partition: 0,
            dealt: vec![0; usize::try_from(partitions).unwrap_or_default()],
        }
    }

    /// Takes a chunk's worth of the `offered` objects, which are all of one type; `offered` is not 0.
    pub fn deal(&mut self, offered: usize) -> Deal {
        loop {
            if self.partition == self.dealt.len() {
                self.dealt.push(0);
                self.sizes.push(self.objects_max);
            }
            let last = self.partition + 1 == self.dealt.len();
            let size = if last { self.objects_max } else { self.sizes[self.partition] };
            let room = size - self.dealt[self.partition].min(size);
            if room == 0 {
                self.partition += 1;
                continue;
            }
            let take = room.min(self.loss_limit).min(offered as u64);
            self.dealt[self.partition] += take;
            return Deal { partition: self.partition, take: usize::try_from(take).unwrap_or(offered) };
        }
    }

    /// Objects in each partition so far.
    #[must_use]
    pub fn dealt(&self) -> &[u64] {
        &self.dealt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IIQ-31, with five worker slots or fewer.
    #[test]
    fn the_reference_vectors_hold() {
        let arguments = TaskArguments::default();
        for slots in [1, 2, 5] {
            let counts = [0, 3, 1_000, 250_000, 2_500_000, 2_500_001]
                .map(|total| partition_count(total, slots, &arguments));
            assert_eq!(counts, [0, 3, 5, 5, 50, 51]);
            assert!(partition_count(250_001, slots, &arguments) >= 6);
        }
    }

    /// Between the hints, as many partitions as slots.
    #[test]
    fn more_slots_make_more_partitions_up_to_the_hint() {
        let arguments = TaskArguments::default();
        assert_eq!([8, 50, 64].map(|slots| partition_count(1_000, slots, &arguments)), [8, 50, 50]);
    }

    /// Past the lower hint six to a slot, within the upper hint, and never fewer than the objects need.
    #[test]
    fn a_large_run_is_cut_finer_than_it_must_be() {
        let arguments = TaskArguments::default();
        assert_eq!([1, 2, 5].map(|slots| partition_count(300_000, slots, &arguments)), [6, 12, 30]);
        assert_eq!([9, 10].map(|slots| partition_count(500_000, slots, &arguments)), [50, 10]);
        assert_eq!(partition_count(900_000, 2, &arguments), 18);
    }

    fn deal_all(total: u64, counted: u64, partitions: u64, arguments: &TaskArguments) -> (Vec<u64>, u64) {
        let mut dealer = Dealer::new(counted, partitions, arguments);
        let mut left = usize::try_from(total).expect("fits");
        let mut largest = 0;
        while left > 0 {
            let deal = dealer.deal(left);
            assert!(deal.take > 0);
            largest = largest.max(deal.take as u64);
            left -= deal.take;
        }
        (dealer.dealt().to_vec(), largest)
    }

    #[test]
    fn shares_are_even_and_chunks_bounded() {
        let arguments = TaskArguments { loss_limit: 100, ..TaskArguments::default() };
        assert_eq!(deal_all(1_003, 1_003, 5, &arguments), (vec![201, 201, 201, 200, 200], 100));
    }

    /// IIQ-30: never more than `maxObjectsPerExtractPartition`, even when the source grew after it was counted.
    #[test]
    fn what_came_after_counting_never_overfills_a_partition() {
        let arguments = TaskArguments {
            loss_limit: 10,
            max_objects_per_extract_partition: 50,
            ..TaskArguments::default()
        };
        assert_eq!(deal_all(205, 100, 2, &arguments), (vec![50, 50, 50, 50, 5], 10));
    }

    #[test]
    fn fewer_objects_than_counted_leave_later_partitions_empty() {
        let arguments = TaskArguments::default();
        assert_eq!(deal_all(4, 10, 5, &arguments), (vec![2, 2, 0, 0, 0], 2));
    }
}
