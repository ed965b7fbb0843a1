//! A series of points that is drawn in constant time, however long it is.

use std::ops::Deref;

use super::series::{decimate, pieces};

/// Points that share one summary.
const BUCKET: usize = 64;

/// Points `[x, value]`, x ascending, with the extremes of each bucket and the moments of all. A value that is not finite
/// interrupts the line.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    points: Vec<[f64; 2]>,
    buckets: Vec<Bucket>,
    count: f64,
    sum: f64,
    square: f64,
}

/// What is kept of some points.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Smallest and largest.
    extremes: Option<([f64; 2], [f64; 2])>,
    /// Where the line is interrupted last.
    gap: Option<f64>,
}

impl Deref for Trace {
    type Target = [[f64; 2]];

    fn deref(&self) -> &Self::Target {
        &self.points
    }
}

impl Trace {
    /// Takes the next point.
    pub fn push(&mut self, point: [f64; 2]) {
        if self.points.len().is_multiple_of(BUCKET) {
            self.buckets.push(Bucket::default());
        }
        self.points.push(point);
        let [x, y] = point;
        let Some(bucket) = self.buckets.last_mut() else {
            return;
        };
        if !y.is_finite() {
            bucket.gap = Some(x);
            return;
        }
        self.count += 1.0;
        self.sum += y;
        self.square += y * y;
        let (lo, hi) = bucket.extremes.get_or_insert((point, point));
        if y < lo[1] {
            *lo = point;
        }
        if y > hi[1] {
            *hi = point;
        }
    }

    /// Forgets the points from x on.
    pub fn cut(&mut self, x: f64) {
        let kept = self.points.partition_point(|p| p[0] < x);
        if kept < self.points.len() {
            let points = std::mem::take(self).points;
            for point in points.into_iter().take(kept) {
                self.push(point);
            }
        }
    }

    /// At most about two points a column of pixels: the smallest and the largest. Costs no more for a long series than for
    /// one of [`BUCKET`] points a column.
    pub fn thinned(&self, columns: usize) -> Vec<[f64; 2]> {
        if self.points.len() <= BUCKET * columns {
            return thinned(&self.points, columns);
        }
        let few: Vec<[f64; 2]> = self
            .buckets
            .iter()
            .flat_map(|bucket| {
                let pair = bucket.extremes.map(|(lo, hi)| match lo[0] <= hi[0] {
                    true => [lo, hi],
                    false => [hi, lo],
                });
                let gap = bucket.gap.map(|x| [x, f64::NAN]);
                pair.into_iter().flatten().chain(gap)
            })
            .collect();
        thinned(&few, columns)
    }

    /// The largest value; `None` without one.
    pub fn largest(&self) -> Option<f64> {
        let tops = self.buckets.iter().filter_map(|b| Some(b.extremes?.1[1]));
        tops.reduce(f64::max)
    }

    /// Where 90 % of the values lie if they are normal; `None` before two.
    pub fn band(&self) -> Option<(f64, f64)> {
        let n = self.count;
        let mean = self.sum / n;
        let std = (self.square / n - mean * mean).max(0.0).sqrt();
        (n >= 2.0).then_some((mean - 1.645 * std, mean + 1.645 * std))
    }
}

/// Each unbroken piece with its share of the columns.
fn thinned(points: &[[f64; 2]], columns: usize) -> Vec<[f64; 2]> {
    let all = points.len().max(1);
    let mut out: Vec<[f64; 2]> = Vec::new();
    for piece in pieces(points) {
        if let Some([x, _]) = out.last().copied() {
            out.push([x, f64::NAN]);
        }
        out.extend(decimate(piece, (columns * piece.len() / all).max(1)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_series_keeps_its_extremes_in_few_points() {
        let mut trace = Trace::default();
        for i in 0..100_000 {
            let value = match i {
                43_210 => 7.0,
                87_654 => -3.0,
                _ => (f64::from(i) * 0.01).sin(),
            };
            trace.push([f64::from(i), value]);
        }
        let few = trace.thinned(230);
        assert!(few.len() <= 2 * 230, "{}", few.len());
        assert!(few.contains(&[43_210.0, 7.0]) && few.contains(&[87_654.0, -3.0]));
        assert!(few.windows(2).all(|w| w[0][0] <= w[1][0]));
        assert_eq!(trace.largest(), Some(7.0));
        let (lo, hi) = trace.band().unwrap();
        assert!(
            (lo + 1.163).abs() < 0.01 && (hi - 1.163).abs() < 0.01,
            "{lo} {hi}"
        );
        assert_eq!(Trace::default().thinned(100), Vec::<[f64; 2]>::new());
        // Cut, it is as if it had never been longer.
        let mut shorter = Trace::default();
        for point in &trace[..50_001] {
            shorter.push(*point);
        }
        trace.cut(50_001.0);
        assert_eq!(trace[..], shorter[..]);
        assert_eq!(trace.thinned(230), shorter.thinned(230));
        assert_eq!(trace.band(), shorter.band());
    }
}
