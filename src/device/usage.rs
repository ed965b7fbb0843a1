//! What this process uses, where the system tells it (Linux's /proc).

/// Processor time of all threads so far, seconds, in steps of a hundredth; `None` where the system does not tell.
pub fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name may hold anything; after its closing parenthesis the fields are numbers, user and system time the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Memory that this process holds, bytes; `None` where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn work_and_memory_are_seen() {
        let Some(time) = super::processor_seconds() else {
            if cfg!(target_os = "linux") {
                panic!("/proc tells it");
            }
            println!("skipped: this system does not tell");
            return;
        };
        let began = std::time::Instant::now();
        let mut held = vec![1u8; 64 << 20];
        let mut sum = 0u64;
        loop {
            for v in &mut held {
                *v = v.wrapping_mul(5).wrapping_add(1);
            }
            sum += u64::from(std::hint::black_box(held[4096]));
            // A busy machine gives this thread little of its time.
            if super::processor_seconds() > Some(time) || began.elapsed().as_secs() >= 60 {
                break;
            }
        }
        assert!(sum > 0 && super::processor_seconds() > Some(time));
        // What other tests give back meanwhile does not count: as much as is held here, at least.
        assert!(super::resident_bytes() > Some(held.len() as u64));
    }
}
