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
    /// First and last frame of the stretch that is played again and again.
    looped: Option<(usize, usize)>,
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
        if let (true, Some((from, to))) = (self.playing, self.looped)
            && self.past.is_none_or(|at| at >= to || at < from)
        {
            self.past = Some(from);
        }
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

    /// The stretch that is played again and again.
    pub fn looped(&self) -> Option<(usize, usize)> {
        self.looped
    }

    /// Plays a stretch again and again: at least two frames long.
    pub fn set_loop(&mut self, from: usize, to: usize) {
        let (from, to) = (from.min(to), from.max(to));
        self.looped = Some((from, to.max(from + 1)));
    }

    /// Its first frame becomes `index`; without a stretch it begins there and ends at `last`.
    pub fn loop_from(&mut self, index: usize, last: usize) {
        let to = self.looped.map_or(last, |l| l.1);
        let to = if to > index { to } else { last };
        self.set_loop(index, to);
    }

    /// Its last frame becomes `index`; without a stretch it begins at `first`.
    pub fn loop_to(&mut self, index: usize, first: usize) {
        let from = self.looped.map_or(first, |l| l.0);
        let from = if from < index { from } else { first };
        self.set_loop(from, index);
    }

    /// No stretch any more.
    pub fn end_loop(&mut self) {
        self.looped = None;
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
        let mut next = index + whole as usize;
        if let Some((from, to)) = self.looped
            && next > to.min(last)
        {
            // The rollout may have become shorter than the stretch.
            let to = to.min(last);
            let from = from.min(to);
            next = from + (next - from) % (to - from + 1);
            self.past = Some(next);
            return (Order::None, true);
        }
        if next >= last && self.looped.is_none() {
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
    fn a_stretch_is_played_again_and_again() {
        let mut play = Playback::default();
        play.loop_to(8, 0);
        play.loop_from(5, 10);
        assert_eq!(play.looped(), Some((5, 8)));
        // From the newest frame the stretch begins, and the worker is not asked for frames.
        assert_eq!(play.toggle(), Order::None);
        let mut seen = Vec::new();
        for _ in 0..9 {
            seen.push(play.shown(0, 10));
            let (order, more) = play.advance(1.0 / BASE_RATE + 1e-4, 1.0, 10);
            assert_eq!((order, more), (Order::None, true));
        }
        assert_eq!(seen, [5, 6, 7, 8, 5, 6, 7, 8, 5]);
        // Its ends never cross, and never meet.
        play.loop_from(9, 10);
        assert_eq!(play.looped(), Some((9, 10)));
        play.loop_to(3, 0);
        assert_eq!(play.looped(), Some((0, 3)));
        play.set_loop(4, 4);
        assert_eq!(play.looped(), Some((4, 5)));
        play.end_loop();
        assert_eq!(play.looped(), None);
    }

    #[test]
    fn a_stretch_beyond_the_end_shows_the_last_frame() {
        let mut play = Playback::default();
        play.set_loop(10, 14);
        let _ = play.go_to(3, 40);
        let _ = play.toggle();
        let _ = play.go_to(3, 40);
        play.playing = true;
        for _ in 0..20 {
            let (order, more) = play.advance(0.2, 4.0, 5);
            assert_eq!((order, more), (Order::None, true));
            assert!(play.shown(0, 5) <= 5);
        }
        assert_eq!(play.shown(0, 5), 5);
    }

    #[test]
    fn frames_dropped_from_the_start_are_never_shown() {
        let mut play = Playback::default();
        let _ = play.go_to(2, 10);
        assert_eq!(play.shown(6, 10), 6);
    }
}
