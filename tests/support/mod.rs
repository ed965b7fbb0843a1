//! A scripted stand-in for the worker: blobs carried round the box by a steady flow. For the tests of the window only.

mod figures;
pub mod rain;

use std::collections::VecDeque;
use std::sync::Arc;

use eddyscope::app::RolloutSource;
use eddyscope::error::UserError;
use eddyscope::random::{NoiseKey, Stream};
use eddyscope::rollout::branch::{Branch, Forgotten};
use eddyscope::rollout::frame::{DenoisingTrace, FrameSet, LaneDiagnostics, LaneFrame, LaneStats};
use eddyscope::rollout::protocol::{Archive, Command, Event, ModelFacts, Progress};
use eddyscope::rollout::settings::{LaneKind, Settings};
use eddyscope::rollout::spill::{Budget, OnDisk};

pub const N: usize = 64;
const INTERVAL: f64 = 0.16;

/// What the test wants to happen.
#[derive(Clone)]
pub struct Script {
    pub frames: usize,
    pub members: usize,
    pub settings: Settings,
    pub blow_up: Option<usize>,
    /// Rain on the globe instead of vorticity.
    pub globe: bool,
    /// Read spectra, ensembles and signatures off the frames, as the worker does.
    pub figures: bool,
    /// Strength of the vortices; 1 is far too fast for the solver.
    pub vigour: f32,
    /// Frames that lie on disk, the oldest ones.
    pub on_disk: usize,
    /// Says no to every branch.
    pub refuses: bool,
}

/// Vorticity.
pub fn script(frames: usize) -> Script {
    Script {
        frames,
        members: 1,
        settings: Settings::default(),
        blow_up: None,
        globe: false,
        figures: false,
        vigour: 1.0,
        on_disk: 0,
        refuses: false,
    }
}

/// Rain on the globe.
pub fn rain_script(frames: usize) -> Script {
    Script {
        globe: true,
        ..script(frames)
    }
}

pub struct Synthetic {
    archive: Archive,
    /// Branches that were deleted.
    forgotten: Vec<Forgotten>,
    events: VecDeque<Event>,
    progress: Progress,
    generation: u64,
    /// Changes of the archive, and whether frames may be asked for.
    version: u64,
    settings: Settings,
    globe: bool,
    refuses: bool,
    pub commands: Arc<std::sync::Mutex<Vec<Command>>>,
}

impl Synthetic {
    pub fn new(script: &Script) -> Self {
        let mut events = VecDeque::new();
        let mut sets: Vec<FrameSet> = (0..script.frames)
            .map(|i| match script.globe {
                true => rain::frame(i, script),
                false => frame(i, script),
            })
            .collect();
        let mut figures = LaneKind::ALL.map(|k| match script.globe {
            true => rain::diagnostics(k, script.frames),
            false => diagnostics(k, script.frames),
        });
        if script.figures {
            figures::read(&mut sets, &mut figures, script.globe);
        }
        let on_disk = spilled(sets.drain(..script.on_disk));
        let frames: Vec<_> = sets.into_iter().map(Arc::new).collect();
        if script.frames > 0 {
            events.push_back(Event::Started(Arc::new(match script.globe {
                true => rain::facts(),
                false => facts(),
            })));
        }
        let mut progress = Progress {
            activity: if script.frames > 0 {
                "paused".into()
            } else {
                "loading the model".into()
            },
            applied_generation: u64::MAX,
            frames_per_second: if script.frames > 0 { 4.2 } else { 0.0 },
            ..Progress::default()
        };
        if let Some(frame) = script.blow_up {
            progress.stopped[LaneKind::Guided.index()] = true;
            events.push_back(Event::BlowUp {
                lane: LaneKind::Guided,
                frame,
                what: "std 9.1, 2.7 times the data's".into(),
            });
        }
        Self {
            forgotten: Vec::new(),
            archive: Archive {
                diagnostics: figures,
                branches: match frames.is_empty() {
                    true => Vec::new(),
                    false => vec![Branch::main(Arc::new(script.settings.clone()))],
                },
                frames,
                on_disk,
                epoch: 1,
                ..Archive::default()
            },
            events,
            progress,
            generation: 1,
            version: 0,
            settings: script.settings.clone(),
            globe: script.globe,
            refuses: script.refuses,
            commands: Arc::default(),
        }
    }
}

/// The frames in a file, as the worker puts them there; nothing where there are none.
fn spilled(frames: impl ExactSizeIterator<Item = FrameSet>) -> OnDisk {
    if frames.len() == 0 {
        return OnDisk::default();
    }
    let budget = Budget::new(1 << 28);
    let mut disk = OnDisk::create(&std::env::temp_dir(), &budget).expect("a file");
    for frame in frames {
        disk.push(&frame).expect("room");
    }
    disk
}

impl RolloutSource for Synthetic {
    fn set_settings(&mut self, settings: Settings) -> u64 {
        self.settings = settings;
        self.generation += 1;
        self.generation
    }

    fn send(&mut self, command: Command) {
        match &command {
            Command::Branch { .. } | Command::Restart(_) if self.refuses => {
                self.events.push_back(Event::Error {
                    error: UserError::new(
                        "No branch today",
                        "the script refuses",
                        "ask another one",
                    ),
                    fatal: false,
                })
            }
            Command::Branch { at, name, .. } => self.branch(*at, name.clone()),
            Command::SwitchBranch(id) => {
                self.archive.activate(*id);
            }
            Command::RenameBranch(id, name) => {
                for b in self.archive.branches.iter_mut().filter(|b| b.id == *id) {
                    b.name.clone_from(name);
                }
            }
            Command::DeleteBranch(id) => self.forgotten.extend(self.archive.forget(*id)),
            Command::RecallBranch(id) => {
                let at = self.forgotten.iter().position(|f| f.id() == *id);
                let forgotten = self.forgotten.remove(at.expect("it was forgotten"));
                assert!(self.archive.recall(forgotten));
            }
            _ => {}
        }
        self.version += 1;
        self.commands.lock().expect("not poisoned").push(command);
    }

    fn archive(&self) -> Archive {
        self.archive.clone()
    }

    fn archive_version(&self) -> (u64, u64) {
        let frames = self.archive.frames.len() as u64;
        (self.archive.epoch, 1_000_000 * self.version + frames)
    }

    fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn is_alive(&self) -> bool {
        true
    }
}

impl Synthetic {
    /// As the worker does; the new branch gets three frames of its own at once, drawn by its settings.
    fn branch(&mut self, at: usize, name: Option<String>) {
        let owner = self.archive.owner(self.archive.active, at);
        let id = self
            .archive
            .branches
            .iter()
            .map(|b| b.id)
            .max()
            .unwrap_or(0)
            + 1;
        let shared: Vec<_> = self.archive.frames.iter().take(at + 1).cloned().collect();
        let diagnostics = self.archive.diagnostics.clone();
        self.archive.rest();
        self.archive.branches.push(Branch {
            id,
            name: name.unwrap_or_else(|| Branch::default_name(id)),
            parent: Some(owner),
            fork: at,
            ..Branch::main(Arc::new(self.settings.clone()))
        });
        self.archive.frames = shared;
        self.archive.diagnostics = diagnostics;
        self.archive.active = id;
        self.archive.epoch += 1;
        for i in at + 1..at + 4 {
            let script = Script {
                settings: self.settings.clone(),
                ..script(0)
            };
            let mut made = match self.globe {
                true => rain::frame(i, &script),
                false => frame(i, &script),
            };
            made.settings = Arc::new(self.settings.clone());
            // Blobs of another pattern, so that the branch differs from its parent.
            for lane in made.lanes.iter_mut().flatten() {
                for m in &mut lane.members {
                    *m = m
                        .iter()
                        .map(|v| v * (1.0 + 0.1 * (i - at) as f32))
                        .collect();
                }
            }
            self.archive.frames.push(Arc::new(made));
        }
    }
}

fn uniform(member: u32, frame: u32, n: usize) -> Vec<f64> {
    NoiseKey {
        seed: 11,
        stream: Stream::Test,
        member,
        frame,
        step: 0,
    }
    .uniform(n)
}

/// Round vortices, each drifting along a wavy path.
fn blobs(pattern: u32, time: f64) -> Arc<[f32]> {
    let draws = uniform(0, pattern, 14 * 6);
    let tau = std::f64::consts::TAU;
    let mut values = vec![0.0f32; N * N];
    for d in draws.chunks_exact(6) {
        let x = d[0] + 0.05 * (d[4] - 0.5) * time + 0.03 * (1.3 * time + tau * d[5]).sin();
        let y = d[1] + 0.05 * (d[5] - 0.5) * time + 0.03 * (1.1 * time + tau * d[4]).cos();
        let radius = 0.04 + 0.07 * d[2];
        let strength = (if d[3] < 0.5 { -1.0 } else { 1.0 }) * (5.0 + 7.0 * d[2]);
        for (i, value) in values.iter_mut().enumerate() {
            let near = |a: f64| a - a.round();
            let dx = near((i % N) as f64 / N as f64 - x);
            let dy = near((i / N) as f64 / N as f64 - y);
            *value += (strength * (-(dx * dx + dy * dy) / (2.0 * radius * radius)).exp()) as f32;
        }
    }
    values.into()
}

fn lane(kind: LaneKind, index: usize, member: usize) -> Arc<[f32]> {
    let time = index as f64 * INTERVAL;
    let start = index <= 3;
    match kind {
        LaneKind::Unconditional if !start => blobs(100 + index as u32, 0.0),
        LaneKind::Guided if !start => blobs(member as u32, time * 1.04),
        LaneKind::Forecaster if !start => blobs(member as u32, time * 0.97),
        LaneKind::Video if !start => blobs(member as u32, time * 1.02),
        LaneKind::GuidedVideo if !start => blobs(member as u32, time * 0.99),
        _ => blobs(member as u32, time),
    }
}

fn frame(index: usize, script: &Script) -> FrameSet {
    let mut settings = script.settings.clone();
    if (24..40).contains(&index) {
        settings.guidance.strength = 0.0;
    }
    let strength = settings.guidance.strength;
    let lanes = LaneKind::ALL.map(|kind| {
        let blown = script
            .blow_up
            .is_some_and(|b| kind == LaneKind::Guided && index >= b);
        if !settings.lanes[kind.index()] || blown {
            return None;
        }
        let unguided = kind == LaneKind::Guided && strength == 0.0;
        let members: Vec<_> = (0..script.members)
            .map(|m| {
                let source = if unguided {
                    LaneKind::Unconditional
                } else {
                    kind
                };
                let field = lane(source, index, m);
                match script.vigour {
                    1.0 => field,
                    v => field.iter().map(|x| x * v).collect(),
                }
            })
            .collect();
        let values = &members[0];
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let var = values
            .iter()
            .map(|v| (f64::from(*v) - mean).powi(2))
            .sum::<f64>()
            / n;
        let row: Vec<f32> = (0..N)
            .map(|i| (27..37).map(|j| values[j * N + i]).sum::<f32>() / 10.0)
            .collect();
        let flicker = kind == LaneKind::Unconditional || unguided;
        let wobble = uniform(9, index as u32 * 4 + kind.index() as u32, 2);
        let trace = if matches!(kind, LaneKind::Unconditional | LaneKind::Guided) && index > 3 {
            trace(!flicker)
        } else {
            DenoisingTrace::default()
        };
        Some(LaneFrame {
            rain: None,
            recorded: None,
            members,
            hovmoeller: row.into(),
            stats: LaneStats {
                mean,
                std: var.sqrt(),
                rmse_to_previous: match index {
                    0 => f64::NAN,
                    _ if flicker => 4.6 + 0.4 * wobble[0],
                    _ => 1.25 + 0.2 * wobble[0],
                },
                dynamics_skill: match index {
                    0 => f64::NAN,
                    _ if flicker => -0.02 + 0.1 * wobble[1],
                    _ => 0.53 + 0.06 * wobble[1],
                },
                ..LaneStats::UNKNOWN
            },
            trace: Arc::new(trace),
        })
    });
    FrameSet {
        date: None,
        index,
        time: (index as f64 - 3.0) * INTERVAL,
        lanes,
        settings: Arc::new(settings),
        steps: Vec::new(),
        generation: 1,
        seconds: 0.2,
        ..FrameSet::default()
    }
}

fn trace(guided: bool) -> DenoisingTrace {
    let mut t = DenoisingTrace::default();
    for i in 0..10 {
        let s = 80f32.powf(1.0 / 7.0)
            + i as f32 / 9.0 * (0.01f32.powf(1.0 / 7.0) - 80f32.powf(1.0 / 7.0));
        let sigma = s.powi(7);
        t.sigma.push(sigma);
        let pull = (1.0 - sigma.log10()) * if guided { 2.0 } else { -3.0 };
        t.logit.push(if sigma > 10.0 { 0.05 } else { pull });
        t.guidance_ratio
            .push(if guided { 0.8 / (1.0 + sigma) } else { 0.0 });
    }
    t
}

fn diagnostics(kind: LaneKind, frames: usize) -> LaneDiagnostics {
    if frames < 12 {
        return LaneDiagnostics::default();
    }
    let truth = facts().acf_truth;
    let (acf, skill, a) = match kind {
        LaneKind::Truth => (truth, 0.562, 1.0),
        LaneKind::Unconditional => (
            truth
                .iter()
                .enumerate()
                .map(|(l, _)| if l == 0 { 1.0 } else { 0.01 * (l as f64).sin() })
                .collect(),
            0.004,
            0.74,
        ),
        LaneKind::Guided => (truth.iter().map(|v| v * 0.99).collect(), 0.549, 0.994),
        LaneKind::Forecaster => (truth.iter().map(|v| v * 1.01).collect(), 0.551, 0.992),
        LaneKind::Video => (truth.iter().map(|v| v * 0.985).collect(), 0.540, 0.985),
        LaneKind::GuidedVideo => (truth.iter().map(|v| v * 0.98).collect(), 0.545, 0.99),
    };
    LaneDiagnostics {
        acf,
        dynamics_skill: skill,
        a,
        residual: 0.29,
        std_ratio: 0.985,
        frames: frames - 4,
        ..LaneDiagnostics::default()
    }
}

pub fn facts() -> ModelFacts {
    let acf = vec![
        1.0, 0.920, 0.782, 0.631, 0.496, 0.386, 0.302, 0.239, 0.193, 0.159, 0.133,
    ];
    ModelFacts {
        globe: None,
        closed_form: None,
        name: "vorticity".into(),
        quantity: "vorticity".into(),
        units: "1/T".into(),
        shape: (N, N),
        frame_interval: INTERVAL,
        suggested_strength: [1.0, 14.0],
        suggested_history: [3, 3],
        usable_strength: [1.5, 60.0],
        suggested_why: ["With it dynamics skill is 0.55 (truth 0.56).", ""].map(str::to_owned),
        samplers: Vec::new(),
        law: true,
        video: true,
        video_strength: 0.25,
        data_std: 3.35,
        acf_lo: acf
            .iter()
            .enumerate()
            .map(|(l, v)| v - 0.008 * l as f64)
            .collect(),
        acf_hi: acf
            .iter()
            .enumerate()
            .map(|(l, v)| v + 0.008 * l as f64)
            .collect(),
        acf_truth: acf,
        dynamics_skill_truth: 0.56,
        std_band: (3.0, 3.7),
        rmse_band: (1.2, 1.5),
        device: "CPU, 2 threads".into(),
        model_hash: "7d0c4fe1a2b39c58".into(),
    }
}
