use super::*;
use crate::diffusion::to_vec;
use crate::random::{NoiseKey, Stream};

const SHAPE: [usize; 2] = [16, 32];

/// Half of the last frame, and a spread that differs from row to row of the history.
struct Half;

impl ForecastSpread for Half {
    fn forecast(&self, history: &Tensor<4>, _: Context, basis: &WaveletBasis) -> SpreadForecast {
        let last = history.clone().narrow(1, 0, 1);
        let bands = basis.band_count();
        let [rows, _, ny, nx] = last.dims();
        SpreadForecast {
            log_variance: basis
                .from_band_maps(last.clone().expand([rows, bands, ny, nx]) * 0.5 - 2.5),
            mean: last * 0.5,
            usual: None,
        }
    }
}

fn tower() -> WaveletTower<Half> {
    with_global(None)
}

/// As [`tower`], with errors that hang together in the global mean.
fn with_global(ratio: Option<f32>) -> WaveletTower<Half> {
    let n = SHAPE[0] * SHAPE[1];
    let bands = band_count(SHAPE[0], SHAPE[1]);
    let grid = crate::field::Globe::cell_centred(SHAPE[0], SHAPE[1]).unwrap();
    let amounts = crate::data::Amounts {
        transform: crate::data::amounts::Transform::CubeRoot,
        dry: 0.0,
        mean: vec![1.0; n],
        std: (0..n).map(|i| 0.3 + 0.1 * (i % 5) as f32).collect(),
        cap: vec![10.0; n],
        adjust: Vec::new(),
        rows: Vec::new(),
    };
    let power = (0..n).map(|i| 0.1 + 0.4 * (i % 7) as f32 / 6.0).collect();
    WaveletTower::new(
        Half,
        WaveletCalibration {
            shape: SHAPE,
            spread_limit: 1.5,
            gain_log_sigma: vec![-4.0, 0.0],
            gain: vec![vec![1.0; bands], vec![0.0; bands]],
            missed: vec![],
            keep: Keep::default(),
            global: ratio.map(|r| GlobalMean {
                ratio: vec![r; 4],
                measured: vec![r; 4],
            }),
        },
        &WaveletTables {
            power,
            beta: vec![vec![0.9; n]; 4],
            spread: vec![vec![1.1; n]; 4],
        },
        Some(Sensitivity::new(&amounts, &grid, &Device::flex())),
        &Device::flex(),
    )
    .unwrap()
}

fn noise(frame: u32, channels: usize) -> Tensor<4> {
    let key = NoiseKey {
        seed: 12,
        stream: Stream::Test,
        member: 0,
        frame,
        step: 0,
    };
    let values = key.normal_f32(channels * SHAPE[0] * SHAPE[1]);
    let shape = [1, channels, SHAPE[0], SHAPE[1]];
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

const CONTEXT: Context = Context {
    m: 3,
    season: None,
    belief: None,
};

/// The logit is quadratic in x, so a central difference of any step is exact but for rounding.
#[test]
fn gradient_agrees_with_finite_differences() {
    for tower in [tower(), with_global(Some(0.3))] {
        gradient_of(&tower);
    }
}

fn gradient_of(tower: &WaveletTower<Half>) {
    let conditioned = tower.condition(&(noise(0, 4) * 0.5), CONTEXT);
    for sigma in [0.05, 0.5, 5.0] {
        let x = noise(1, 1) * 0.5 + noise(2, 1) * sigma as f32;
        let gradient = conditioned
            .judge(&x, sigma, &x)
            .shift
            .div_scalar((sigma * sigma) as f32);
        let along = noise(3, 1);
        let h = 0.5 * sigma as f32;
        let logit = |sign: f32| {
            let moved = x.clone() + along.clone() * (sign * h);
            f64::from(to_vec(conditioned.judge(&moved, sigma, &x).logit)[0])
        };
        let difference = (logit(1.0) - logit(-1.0)) / (2.0 * f64::from(h));
        let exact: f64 = to_vec(gradient * along).iter().map(|v| f64::from(*v)).sum();
        assert!(
            (difference - exact).abs() < 1e-3 * exact.abs().max(1.0),
            "sigma {sigma}: {difference} {exact}"
        );
    }
}

/// With a Gaussian image model and g = 0 the guided estimate is the conditional Gaussian's.
#[test]
fn guided_estimate_is_the_conditional_mean() {
    let tower = tower();
    let history = noise(0, 4) * 0.5;
    let p = tower.prepare(&history, CONTEXT);
    let x = noise(1, 1);
    let sigma = 1.5; // above the levels of the gain: g = 0
    let law = &tower.law;
    let s2 = (sigma * sigma) as f32;
    let xw = law.basis.transform(x.clone());
    let own = law
        .basis
        .inverse(law.c.clone() / (law.c.clone() + s2) * xw.clone());
    let j = p.judge(&x, sigma, &own);
    let guided = own + j.shift + j.correction.unwrap();
    let expected = law
        .basis
        .inverse(p.mean.clone() + p.s.clone() / (p.s.clone() + s2) * (xw - p.mean.clone()));
    let worst = to_vec((guided - expected).abs().max())[0];
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn control_has_the_forecast_mean_and_spread() {
    let tower = tower();
    let history = noise(0, 4) * 0.5;
    let p = tower.prepare(&history, CONTEXT);
    let mut ratio = 0.0;
    for i in 0..40 {
        let x = tower.forecast_with_noise(&history, CONTEXT, noise(100 + i, 1));
        let off = tower.law.basis.transform(x) - p.mean.clone();
        ratio += f64::from(to_vec((off.square() / p.s.clone()).mean())[0]) / 40.0;
    }
    assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
}

#[test]
fn unusable_calibrations_are_refused() {
    let good = tower().law.calibration.clone();
    good.validate().unwrap();
    let broken: [fn(&mut WaveletCalibration); 6] = [
        |c| c.keep.told = vec![0.5; 2],
        |c| c.gain.truncate(1),
        |c| c.gain[0].truncate(2),
        |c| c.gain[1][0] = 1.5,
        |c| c.gain_log_sigma.reverse(),
        |c| c.spread_limit = f32::NAN,
    ];
    for b in broken {
        let mut c = good.clone();
        b(&mut c);
        assert!(c.validate().is_err());
    }
    assert_eq!(good.gain_at(1e-9)[0], 1.0);
    assert!((good.gain_at((-2.0f64).exp())[0] - 0.5).abs() < 1e-6);
    assert_eq!(good.gain_at(1e9)[0], 0.0);
}
