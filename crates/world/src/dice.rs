//! Chance: the same for the same seed, on every machine and in every version.
//!
//! ChaCha with 8 rounds is fixed by a specification; ranges and choices are made here from its words, because
//! libraries change theirs from version to version.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A source of chance of its own for one thing, so that what is thrown for one does not shift the next.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    rng: ChaCha8Rng,
}

impl Dice {
    /// The dice of the `nth` thing of a kind, in the world of a seed.
    pub(crate) fn of(seed: u64, kind: &str, nth: u64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        for (slot, byte) in key[8..].iter_mut().zip(kind.bytes()) {
            *slot = byte;
        }
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(nth);
        Self { rng }
    }

    /// A number below `bound`, which must not be 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.rng.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A position in something of this length, which must not be 0.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// A number from `from` up to and without `to`.
    pub(crate) fn between(&mut self, from: i64, to: i64) -> i64 {
        let span = u64::try_from(to.saturating_sub(from)).unwrap_or(0).max(1);
        from.saturating_add_unsigned(self.below(span))
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// True so many times in a thousand.
    pub(crate) fn permille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    /// One of a list, which must not be empty.
    pub(crate) fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.index(list.len())]
    }

    /// Mixes a list.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.index(last + 1);
            list.swap(last, other);
        }
    }

    /// Up to `count` different positions of something of this length, in rising order.
    pub(crate) fn positions(&mut self, length: usize, count: usize) -> Vec<usize> {
        let mut positions: Vec<usize> = (0..length).collect();
        self.shuffle(&mut positions);
        positions.truncate(count);
        positions.sort_unstable();
        positions
    }

    /// Bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first words of ChaCha8 under a key of zeros, from the published test vectors (Strombergson, TC1, 8
    /// rounds): 3e00ef2f895f40d6 7f5bb8e81f09a5a1.
    #[test]
    fn the_stream_is_that_of_the_specification() {
        assert_eq!(
            Dice::of(0, "", 0).bytes(16),
            [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09, 0xa5, 0xa1]
        );
    }

    #[test]
    fn kinds_and_numbers_and_seeds_have_dice_of_their_own() {
        let first = |seed, kind, nth| Dice::of(seed, kind, nth).below(u64::MAX);
        assert_eq!(first(7, "person", 3), first(7, "person", 3));
        let others = [first(8, "person", 3), first(7, "account", 3), first(7, "person", 4)];
        assert!(others.iter().all(|other| *other != first(7, "person", 3)));
    }

    #[test]
    fn throws_stay_within_their_bounds() {
        let mut dice = Dice::of(1, "bounds", 0);
        for _ in 0..1000 {
            assert!(dice.below(3) < 3);
            assert!((-5..5).contains(&dice.between(-5, 5)));
        }
        assert_eq!(dice.between(4, 4), 4);
        let positions = dice.positions(10, 4);
        assert_eq!(positions.len(), 4);
        assert!(positions.windows(2).all(|pair| pair[0] < pair[1]) && positions[3] < 10);
    }
}
