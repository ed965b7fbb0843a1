//! Memory of a plan: constants, and one arena in which every buffer has its place from the beginning.

use super::simd::LANES;

/// 16 floats on a line of the cache.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; LANES]);

/// Floats that begin on a line of the cache.
pub(super) struct Aligned(Vec<Line>);

impl Aligned {
    /// So many zeros, rounded up to whole lines.
    pub fn zeros(len: usize) -> Self {
        Self(vec![Line([0.0; LANES]); len.div_ceil(LANES)])
    }

    /// The values, then zeros up to a whole line.
    pub fn new(values: &[f32]) -> Self {
        let mut out = Self::zeros(values.len());
        for (line, values) in out.0.iter_mut().zip(values.chunks(LANES)) {
            line.0[..values.len()].copy_from_slice(values);
        }
        out
    }

    pub fn len(&self) -> usize {
        self.0.len() * LANES
    }

    pub fn as_ptr(&self) -> *const f32 {
        self.0.as_ptr().cast()
    }

    pub fn as_mut_ptr(&mut self) -> *mut f32 {
        self.0.as_mut_ptr().cast()
    }
}

/// Hands out places of an arena and takes them back.
#[derive(Default)]
pub(super) struct Places {
    /// Free pieces, by position: start and length.
    free: Vec<(usize, usize)>,
    /// Floats used so far at most.
    pub total: usize,
}

impl Places {
    /// A place of `len` floats on a line of the cache.
    pub fn take(&mut self, len: usize) -> usize {
        let len = len.next_multiple_of(LANES);
        // The smallest piece that is large enough.
        let best = self
            .free
            .iter()
            .enumerate()
            .filter(|(_, (_, size))| *size >= len)
            .min_by_key(|(_, (_, size))| *size)
            .map(|(i, _)| i);
        match best {
            Some(i) => {
                let (start, size) = self.free[i];
                if size == len {
                    self.free.remove(i);
                } else {
                    self.free[i] = (start + len, size - len);
                }
                start
            }
            None => {
                let start = self.total;
                self.total += len;
                start
            }
        }
    }

    /// Gives a place back.
    pub fn give(&mut self, start: usize, len: usize) {
        let len = len.next_multiple_of(LANES);
        let i = self.free.partition_point(|&(s, _)| s < start);
        self.free.insert(i, (start, len));
        // Join neighbours.
        let mut joined: Vec<(usize, usize)> = Vec::with_capacity(self.free.len());
        for &(s, l) in &self.free {
            match joined.last_mut() {
                Some((start, len)) if *start + *len == s => *len += l,
                _ => joined.push((s, l)),
            }
        }
        self.free = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_use_never_overlap() {
        let mut places = Places::default();
        let mut used: Vec<(usize, usize)> = Vec::new();
        let mut state = 1u32;
        for _ in 0..2000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 31 == 0 || used.is_empty() {
                let len = (state >> 8) as usize % 300 + 1;
                let start = places.take(len);
                assert_eq!(start % LANES, 0);
                for &(s, l) in &used {
                    assert!(start + len <= s || s + l <= start);
                }
                used.push((start, len));
            } else {
                let (start, len) = used.swap_remove((state >> 8) as usize % used.len());
                places.give(start, len);
            }
        }
        for (start, len) in used {
            places.give(start, len);
        }
        assert_eq!(places.free, [(0, places.total)]);
    }

    #[test]
    fn aligned_values_begin_on_a_line() {
        let a = Aligned::new(&[1.0; 17]);
        assert_eq!((a.len(), a.as_ptr() as usize % 64), (32, 0));
    }
}
