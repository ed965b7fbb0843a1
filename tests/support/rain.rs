//! The globe of the scripted stand-in: days of the shipped clip. Truth runs on from a date; the guided lane is the other
//! year, the unconditional lane days drawn at random.

use std::sync::{Arc, OnceLock};

use eddyscope::data::recording::{Clip, Recording as _, shipped_clip};
use eddyscope::field::Globe;
use eddyscope::model::card::RainTruth;
use eddyscope::rollout::frame::{
    DenoisingTrace, FrameSet, LaneDiagnostics, LaneFrame, LaneStats, RainFigures, RainStats,
};
use eddyscope::rollout::protocol::{GlobeFacts, ModelFacts};
use eddyscope::rollout::settings::LaneKind;

use super::{Script, trace, uniform};

/// Day of the clip of the last start frame: in northern summer.
const START: usize = 195;

fn clip() -> &'static Clip {
    static CLIP: OnceLock<Clip> = OnceLock::new();
    CLIP.get_or_init(|| shipped_clip().expect("the shipped clip"))
}

pub fn grid() -> &'static Globe {
    clip().globe()
}

fn day(index: usize) -> Arc<[f32]> {
    clip()
        .day(index % clip().days())
        .expect("a day of the clip")
}

fn values(kind: LaneKind, index: usize, member: usize) -> Arc<[f32]> {
    let at = START + index - 3;
    match kind {
        LaneKind::Unconditional if index > 3 => {
            let draw = uniform(20 + member as u32, index as u32, 1)[0];
            day((draw * clip().days() as f64) as usize)
        }
        LaneKind::Guided if index > 3 => day(at + 365 + 37 * member),
        LaneKind::Forecaster if index > 3 => {
            let (a, b) = (day(at), day(at + 365));
            a.iter().zip(b.iter()).map(|(a, b)| 0.5 * (a + b)).collect()
        }
        _ => day(at),
    }
}

fn stats(values: &[f32]) -> RainStats {
    let grid = grid();
    let wet: Vec<f32> = values.iter().map(|v| f32::from(*v >= 0.1)).collect();
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let at = |q: f64| f64::from(sorted[(q * (sorted.len() - 1) as f64) as usize]);
    let rows = values.chunks_exact(grid.nx);
    RainStats {
        global_mean: grid.mean(values),
        wet_fraction: grid.mean(&wet),
        percentiles: [0.75, 0.9, 0.95, 0.99, 0.999].map(at),
        zonal_mean: rows
            .map(|r| r.iter().sum::<f32>() / grid.nx as f32)
            .collect(),
        capped: 0,
    }
}

pub fn frame(index: usize, script: &Script) -> FrameSet {
    let grid = grid();
    let tropics: Vec<usize> = (0..grid.ny())
        .filter(|j| grid.lat[*j].abs() <= 10.0)
        .collect();
    let lanes = LaneKind::ALL.map(|kind| {
        if !script.settings.lanes[kind.index()] {
            return None;
        }
        let members: Vec<_> = (0..script.members)
            .map(|m| values(kind, index, m))
            .collect();
        let row: Vec<f32> = (0..grid.nx)
            .map(|i| {
                let sum: f32 = tropics.iter().map(|j| members[0][j * grid.nx + i]).sum();
                sum / tropics.len() as f32
            })
            .collect();
        let sampled = matches!(kind, LaneKind::Unconditional | LaneKind::Guided) && index > 3;
        Some(LaneFrame {
            rain: Some(Arc::new(stats(&members[0]))),
            recorded: (kind == LaneKind::Truth).then(|| clip().date(START + index - 3)),
            hovmoeller: row.into(),
            stats: LaneStats {
                mean: grid.mean(&members[0]),
                std: 6.0,
                ..LaneStats::UNKNOWN
            },
            members,
            trace: Arc::new(if sampled {
                trace(kind == LaneKind::Guided)
            } else {
                DenoisingTrace::default()
            }),
        })
    });
    FrameSet {
        date: Some(clip().date(START + index - 3)),
        index,
        time: index as f64 - 3.0,
        lanes,
        settings: Arc::new(script.settings.clone()),
        steps: Vec::new(),
        generation: 1,
        seconds: 0.2,
        ..FrameSet::default()
    }
}

const ACF: [f64; 11] = [
    1.0, 0.529, 0.151, 0.014, -0.015, 0.001, 0.025, 0.037, 0.035, 0.025, 0.014,
];

pub fn diagnostics(kind: LaneKind, frames: usize) -> LaneDiagnostics {
    if frames < 12 {
        return LaneDiagnostics::default();
    }
    let factor = match kind {
        LaneKind::Unconditional => 0.02,
        LaneKind::Guided => 0.96,
        _ => 1.0,
    };
    let scaled = |acf: &[f64]| -> Vec<f64> {
        let lags = acf.iter().enumerate();
        lags.map(|(l, v)| if l == 0 { 1.0 } else { v * factor })
            .collect()
    };
    let truth = truth();
    let days = (4..frames).map(|i| stats(&values(kind, i, 0)));
    let n = (frames - 4) as f64;
    let mut zonal_mean = vec![0.0; grid().ny()];
    for day in days {
        for (sum, v) in zonal_mean.iter_mut().zip(&day.zonal_mean) {
            *sum += f64::from(*v) / n;
        }
    }
    let figures = RainFigures {
        global_mean: truth.global_mean * (0.98 + 0.02 * factor),
        wet_fraction: truth.wet_fraction * 1.02,
        percentiles: truth.percentiles.map(|v| v * (0.94 + 0.06 * factor)),
        tropics_acf: scaled(&truth.tropics_acf),
        global_acf: scaled(&truth.global_acf),
        zonal_mean,
        capped: if kind == LaneKind::Guided {
            2.1e-4
        } else {
            0.0
        },
    };
    LaneDiagnostics {
        acf: scaled(&ACF),
        dynamics_skill: f64::NAN,
        a: f64::NAN,
        residual: f64::NAN,
        std_ratio: 0.985,
        frames: frames - 4,
        rain: Some(Arc::new(figures)),
        ..LaneDiagnostics::default()
    }
}

fn truth() -> &'static RainTruth {
    static TRUTH: OnceLock<RainTruth> = OnceLock::new();
    TRUTH.get_or_init(|| {
        let mut zonal_mean = vec![0.0; grid().ny()];
        for i in (0..365).step_by(5) {
            for (sum, v) in zonal_mean.iter_mut().zip(stats(&day(i)).zonal_mean) {
                *sum += f64::from(v) / 73.0;
            }
        }
        RainTruth {
            global_mean: 2.642,
            global_mean_band: [2.49, 2.80],
            wet_fraction: 0.475,
            wet_fraction_band: [0.455, 0.495],
            percentiles: [1.27, 6.3, 12.5, 25.4, 38.0],
            tropics_acf: vec![
                1.0, 0.646, 0.378, 0.223, 0.141, 0.102, 0.09, 0.08, 0.07, 0.05, 0.03,
            ],
            global_acf: vec![
                1.0, 0.794, 0.482, 0.154, -0.099, -0.245, -0.299, -0.295, -0.262, -0.213, -0.153,
            ],
            zonal_mean,
        }
    })
}

pub fn facts() -> ModelFacts {
    let days = clip().days();
    let mut by_month: Vec<Vec<usize>> = vec![Vec::new(); 12];
    for i in 0..days {
        by_month[usize::from(clip().date(i).month) - 1].push(i);
    }
    let mut climatology = Vec::new();
    let mut climatology_p90 = Vec::new();
    for indices in &by_month {
        let fields: Vec<_> = indices.iter().map(|i| day(*i)).collect();
        let n = fields.len().max(1);
        let mut means = Vec::new();
        let mut highs = Vec::new();
        for cell in 0..grid().len() {
            let mut column: Vec<f32> = fields.iter().map(|f| f[cell]).collect();
            column.sort_by(f32::total_cmp);
            means.push(column.iter().sum::<f32>() / n as f32);
            highs.push(column.get(n * 9 / 10).copied().unwrap_or(0.0));
        }
        climatology.push(means.into());
        climatology_p90.push(highs.into());
    }
    ModelFacts {
        closed_form: None,
        name: "precipitation".into(),
        quantity: "precipitation".into(),
        units: "mm/day".into(),
        shape: (grid().ny(), grid().nx),
        frame_interval: 1.0,
        suggested_strength: [1.0, 14.0],
        suggested_history: [3, 3],
        usable_strength: [1.5, 60.0],
        suggested_why: ["With it 40 of 42 figures hold.", ""].map(str::to_owned),
        samplers: Vec::new(),
        law: true,
        video: true,
        video_strength: 0.25,
        data_std: 6.0,
        acf_truth: ACF.to_vec(),
        acf_lo: ACF.iter().map(|v| v - 0.012).collect(),
        acf_hi: ACF.iter().map(|v| v + 0.012).collect(),
        dynamics_skill_truth: f64::NAN,
        std_band: (5.5, 6.5),
        rmse_band: (6.0, 7.0),
        device: "CPU, 2 threads".into(),
        model_hash: "0a1b2c3d4e5f6a7b".into(),
        globe: Some(Arc::new(GlobeFacts {
            grid: grid().clone(),
            calendar: clip().calendar(),
            climatology,
            climatology_p90,
            truth: truth().clone(),
            knows_season: true,
            recording: clip().name(),
            recorded: (clip().date(0), clip().date(days - 1)),
        })),
    }
}
