//! Which frame is shown: the newest, or one of the past.
//!
//! Playing at the end means that the worker makes frames; playing in the past shows the kept frames at a fixed rate
//! until the end, and then the worker goes on.

/// Kept frames shown a second at speed 1.
pub const BASE_RATE: f32 = 12.0;

/// Speeds on offer, multiples of [`BASE_RATE`].
pub const SPEEDS: [(f32, &str); 5] = [
    (0.25, "¼×"),
    (0.5, "½×"),
    (1.0, "1×"),
    (2.0, "2×"),
    (4.0, "4×"),
];

/// What the worker must be told after a change of the playback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    None,
    /// Make frames until told otherwise.
    Run,
    /// Stop making frames.
    Pause,
    /// Make one frame.
    StepOne,
}

/// State of the playback.
#[derive(Debug, Clone, Default)]
pub struct Playback {
    /// Whether frames follow one another.
    pub playing: bool,
    /// The frame shown; `None` is the newest, whatever it is.
    past: Option<usize>,
    /// Fraction of a frame that has passed.
    fraction: f32,
}

impl Playback {
    /// The index shown, given the first and last kept one.
    pub fn shown(&self, first: usize, last: usize) -> usize {
        self.past.unwrap_or(last).clamp(first, last)
    }

    /// Whether the newest frame is shown.
    pub fn at_end(&self) -> bool {
        self.past.is_none()
    }

    /// Play or pause.
    pub fn toggle(&mut self) -> Order {
        self.playing = !self.playing;
        self.fraction = 0.0;
        match (self.playing, self.at_end()) {
            (true, true) => Order::Run,
            (true, false) => Order::None,
            (false, _) => Order::Pause,
        }
    }

    /// Shows frame `index` and pauses.
    pub fn go_to(&mut self, index: usize, last: usize) -> Order {
        self.past = (index < last).then_some(index);
        self.halt()
    }

    /// Shows the newest frame; playing goes on by making frames.
    pub fn go_to_end(&mut self) -> Order {
        let was_past = self.past.take().is_some();
        if self.playing && was_past {
            Order::Run
        } else {
            Order::None
        }
    }

    /// One frame forward or back; at the end, forward makes a new one.
    pub fn step(&mut self, forward: bool, first: usize, last: usize) -> Order {
        let shown = self.shown(first, last);
        if forward && shown >= last {
            self.past = None;
            self.playing = false;
            return Order::StepOne;
        }
        let next = if forward {
            shown + 1
        } else {
            shown.saturating_sub(1).max(first)
        };
        self.go_to(next, last)
    }

    /// Stops; the worker is told only if it may be running.
    pub fn halt(&mut self) -> Order {
        if std::mem::take(&mut self.playing) {
            Order::Pause
        } else {
            Order::None
        }
    }

    /// Starts a new rollout: newest frame, playing.
    pub fn restart(&mut self) {
        *self = Self {
            playing: true,
            ..Self::default()
        };
    }

    /// Lets `dt_secs` pass. Returns the order for the worker and whether time goes on (the window must be drawn again).
    pub fn advance(&mut self, dt_secs: f32, speed: f32, last: usize) -> (Order, bool) {
        let (true, Some(index)) = (self.playing, self.past) else {
            return (Order::None, false);
        };
        // A long pause of the window is not made up for.
        self.fraction += dt_secs.min(0.25) * speed * BASE_RATE;
        let whole = self.fraction.floor();
        self.fraction -= whole;
        let next = index + whole as usize;
        if next >= last {
            self.past = None;
            return (Order::Run, false);
        }
        self.past = Some(next);
        (Order::None, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playing_in_the_past_reaches_the_end_and_then_runs() {
        let mut play = Playback::default();
        assert_eq!(play.go_to(5, 10), Order::None);
        assert_eq!(play.shown(0, 10), 5);
        assert_eq!(play.toggle(), Order::None);
        let mut steps = 0;
        loop {
            let (order, more) = play.advance(0.1, 1.0, 10);
            steps += 1;
            if order == Order::Run {
                assert!(!more);
                break;
            }
            assert!(more && steps < 20);
        }
        assert!(play.at_end() && play.playing);
        assert_eq!(play.toggle(), Order::Pause);
    }

    #[test]
    fn scrubbing_pauses_the_worker_once() {
        let mut play = Playback::default();
        play.restart();
        assert_eq!(play.go_to(3, 10), Order::Pause);
        assert_eq!(play.go_to(4, 10), Order::None);
        assert_eq!(play.go_to(10, 10), Order::None);
        assert!(play.at_end());
    }

    #[test]
    fn stepping_at_the_end_asks_for_a_frame() {
        let mut play = Playback::default();
        assert_eq!(play.step(true, 0, 10), Order::StepOne);
        assert_eq!(play.step(false, 0, 10), Order::None);
        assert_eq!(play.shown(0, 10), 9);
        assert_eq!(play.step(true, 0, 10), Order::None);
        assert!(play.at_end());
    }

    #[test]
    fn frames_dropped_from_the_start_are_never_shown() {
        let mut play = Playback::default();
        let _ = play.go_to(2, 10);
        assert_eq!(play.shown(6, 10), 6);
    }
}
