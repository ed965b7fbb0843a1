//! States of a stream that can go back: a few are kept, the frames after one of them are read again.

/// Frames after which states that lie too close together are dropped.
const TIDY: usize = 16;

/// States by the number of the frame that follows. They lie close together near the end of the run, where one goes back
/// most, and the longer the run, the wider apart further back: at most `every` frames, or an eighth of the way to the end
/// and one of so many parts of the run. Their number grows with its logarithm at most.
#[derive(Debug, Clone)]
pub(super) struct Rewind<S> {
    marks: Vec<(usize, S)>,
    every: usize,
    parts: usize,
}

impl<S: Clone> Rewind<S> {
    /// Without states; new ones are `every` frames apart, old ones one of so many parts of the run.
    pub fn new(every: usize, parts: usize) -> Self {
        Self {
            marks: Vec::new(),
            every,
            parts,
        }
    }

    /// Keeps the state before frame number `next`, where it is time.
    pub fn note(&mut self, next: usize, state: &S) {
        let due = match self.marks.last() {
            // One that was gone back to is there already.
            Some((last, _)) => *last < next && next.is_multiple_of(self.every),
            None => true,
        };
        if !due {
            return;
        }
        self.marks.push((next, state.clone()));
        if next.is_multiple_of(TIDY) {
            self.thin(next);
        }
    }

    /// Drops the states that lie too close together for their age.
    fn thin(&mut self, next: usize) {
        let (Some(&(first, _)), Some(&(last, _))) = (self.marks.first(), self.marks.last()) else {
            return;
        };
        let every = self.every;
        let longest = ((next - first) / self.parts).max(every);
        let numbers: Vec<usize> = self.marks.iter().map(|(n, _)| *n).collect();
        let mut before = first;
        self.marks.retain(|(n, _)| {
            let Ok(at) = numbers.binary_search(n) else {
                return true;
            };
            let after = numbers.get(at + 1).copied().unwrap_or(last);
            let apart = ((next - after) / 8).clamp(every, longest);
            let keep = *n == first || *n == last || after - before > apart;
            if keep {
                before = *n;
            }
            keep
        });
    }

    /// The newest state at or before frame number `next`, with its number; later ones are forgotten.
    pub fn back(&mut self, next: usize) -> Option<(usize, S)> {
        self.marks.retain(|(n, _)| *n <= next);
        self.marks.last().cloned()
    }

    /// How many states are kept.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Number of the frame after the first state.
    pub fn first(&self) -> Option<usize> {
        Some(self.marks.first()?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_constant_and_every_frame_can_be_reached() {
        for (every, parts, kept) in [(16, 64, 250), (1, 512, 1300)] {
            let mut rewind = Rewind::new(every, parts);
            let mut most = [0; 2];
            for next in 4..200_000usize {
                rewind.note(next, &next);
                let late = usize::from(next > 50_000);
                most[late] = most[late].max(rewind.marks.len());
            }
            assert!(most[1] <= kept && most[1] < most[0] + 60, "{most:?}");
            assert_eq!(rewind.first(), Some(4));
            // What must be read again: little near the end, never more than its share of the run.
            for (wanted, most) in [
                (199_999, every - 1),
                (199_990, every - 1),
                (199_500, 63 + every),
                (190_000, 200_000 / parts),
                (70_001, 200_000 / parts),
                (4096, 200_000 / parts),
                (5, 1),
            ] {
                let (n, state) = rewind.clone().back(wanted).unwrap();
                assert!(
                    n == state && n <= wanted && wanted - n <= most,
                    "{wanted}: {n}"
                );
            }
            assert_eq!(rewind.back(4), Some((4, 4)));
            // Again and again from one place on nothing gathers there.
            for _ in 0..10 {
                rewind.note(4, &4);
                rewind.back(4);
            }
            assert_eq!(rewind.len(), 1);
            assert!(rewind.back(3).is_none());
        }
    }
}
