//! Progress on standard error, and Ctrl-C as a question that long work asks.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar with time left; silent when standard error is not a terminal.
pub fn bar(total: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let template =
        format!("{{bar:30}} {{pos}}/{{len}} {unit}  {{elapsed}} gone, {{eta}} left {{msg}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// Whether Ctrl-C was pressed. The first press asks long work to stop where it can be taken up again; the second ends
/// the program.
#[derive(Debug, Clone, Copy)]
pub struct Interrupt(&'static AtomicBool);

impl Interrupt {
    /// Watches for Ctrl-C (and the termination signal) from now on.
    pub fn install() -> Self {
        static ASKED: AtomicBool = AtomicBool::new(false);
        static ONCE: OnceLock<()> = OnceLock::new();
        ONCE.get_or_init(|| {
            let set = ctrlc::set_handler(|| {
                if ASKED.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
            });
            if let Err(e) = set {
                log::warn!("Ctrl-C will end the program at once: {e}");
            }
        });
        Self(&ASKED)
    }

    /// Whether it was pressed.
    pub fn asked(self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
