//! Whether figures of years drift.

/// A straight line through values over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Change of the value per unit of time.
    pub slope: f64,
    /// Its standard error, from the values' scatter about the line; NaN with fewer than 3 values.
    pub standard_error: f64,
}

/// Least squares through `(time, value)`. `None` where all times are equal, there are fewer than 2, or one is not finite.
pub fn trend(points: &[(f64, f64)]) -> Option<Trend> {
    let n = points.len() as f64;
    let t0 = points.iter().map(|p| p.0).sum::<f64>() / n;
    let v0 = points.iter().map(|p| p.1).sum::<f64>() / n;
    let (mut tt, mut tv, mut vv) = (0.0, 0.0, 0.0);
    for (t, v) in points {
        tt += (t - t0).powi(2);
        tv += (t - t0) * (v - v0);
        vv += (v - v0).powi(2);
    }
    let slope = tv / tt;
    slope.is_finite().then(|| Trend {
        slope,
        standard_error: ((vv - slope * tv).max(0.0) / (n - 2.0) / tt).sqrt(),
    })
}

/// Standard deviation (denominator n - 1). `None` with fewer than 2 values, or where one is not finite.
pub fn spread(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    square.is_finite().then(|| square.sqrt())
}
