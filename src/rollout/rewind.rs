//! States of a stream that can go back: a few are kept, the frames after one of them are read again.

/// States kept before every second one is dropped.
const MOST: usize = 64;

/// States by the number of the frame that follows, in constant memory: the longer the run, the wider apart they lie.
#[derive(Debug, Clone)]
pub(super) struct Rewind<S> {
    marks: Vec<(usize, S)>,
    every: usize,
}

impl<S> Default for Rewind<S> {
    fn default() -> Self {
        Self {
            marks: Vec::new(),
            every: 16,
        }
    }
}

impl<S: Clone> Rewind<S> {
    /// Keeps the state before frame number `next`, where it is time.
    pub fn note(&mut self, next: usize, state: &S) {
        if !self.marks.is_empty() && !next.is_multiple_of(self.every) {
            return;
        }
        self.marks.push((next, state.clone()));
        if self.marks.len() > MOST {
            self.every *= 2;
            let (first, every) = (self.marks[0].0, self.every);
            self.marks
                .retain(|(n, _)| *n == first || n.is_multiple_of(every));
        }
    }

    /// The newest state at or before frame number `next`, with its number; later ones are forgotten.
    pub fn back(&mut self, next: usize) -> Option<(usize, S)> {
        self.marks.retain(|(n, _)| *n <= next);
        self.marks.last().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_constant_and_every_frame_can_be_reached() {
        let mut rewind = Rewind::default();
        for next in 4..100_000usize {
            rewind.note(next, &next);
        }
        assert!(rewind.marks.len() <= MOST);
        for wanted in [99_999, 70_001, 4096, 5] {
            let (n, state) = rewind.back(wanted).unwrap();
            assert!(
                n == state && n <= wanted && wanted - n <= 4096,
                "{wanted}: {n}"
            );
        }
        assert!(rewind.back(3).is_none());
    }
}
