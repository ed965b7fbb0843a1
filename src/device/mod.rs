//! Which device computes: a GPU adapter that answers a self-test correctly, else the CPU.
//!
//! A software adapter (lavapipe, WARP) is slower than burn's CPU backend: computing then goes to the CPU and the
//! adapter only draws. All burn calls of one rollout come from one thread: cubecl orders work per thread.

mod self_test;
pub mod usage;

use burn::tensor::Device;
use burn::tensor::DeviceKind;

use crate::error::{Result, UserError};

/// Set to any value to let `--device gpu` use a software adapter (for tests without a GPU; slow).
pub const SOFTWARE_ADAPTER_VARIABLE: &str = "EDDYSCOPE_SOFTWARE_ADAPTER";

/// What the user asked for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceRequest {
    /// A real GPU if there is one that answers the self-test, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU, or an error.
    Gpu,
}

/// A device that computes.
#[derive(Debug, Clone)]
pub struct ComputeDevice {
    /// burn's handle.
    pub device: Device,
    /// As shown: the adapter's own name, or "CPU, 8 threads".
    pub name: String,
    /// Whether it is a GPU.
    pub is_gpu: bool,
    /// Why it is not what one may have expected ("the GPU failed the self-test: ...").
    pub note: Option<String>,
}

/// An adapter as `eddyscope devices` lists it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct AdapterInfo {
    /// The adapter's own name.
    pub name: String,
    /// "discrete GPU", "integrated GPU", "software", ...
    pub kind: String,
    /// "vulkan", "metal", "dx12", ...
    pub backend: String,
    /// Driver and its version.
    pub driver: String,
    /// Whether it draws in software, on the CPU.
    pub software: bool,
}

/// All wgpu adapters of this machine.
pub fn adapters() -> Vec<AdapterInfo> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::PRIMARY,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let list = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    list.iter()
        .map(|a| {
            let info = a.get_info();
            let software = info.device_type == wgpu::DeviceType::Cpu;
            AdapterInfo {
                name: info.name,
                kind: match info.device_type {
                    wgpu::DeviceType::DiscreteGpu => "discrete GPU",
                    wgpu::DeviceType::IntegratedGpu => "integrated GPU",
                    wgpu::DeviceType::VirtualGpu => "virtual GPU",
                    wgpu::DeviceType::Cpu => "software",
                    wgpu::DeviceType::Other => "other",
                }
                .to_string(),
                backend: format!("{:?}", info.backend).to_lowercase(),
                driver: format!("{} {}", info.driver, info.driver_info)
                    .trim()
                    .to_string(),
                software,
            }
        })
        .collect()
}

/// The CPU, with its number of threads.
pub fn cpu() -> ComputeDevice {
    let threads = rayon::current_num_threads();
    let s = if threads == 1 { "" } else { "s" };
    ComputeDevice {
        device: Device::flex(),
        name: format!("CPU, {threads} thread{s}"),
        is_gpu: false,
        note: None,
    }
}

/// Chooses the device.
///
/// # Errors
/// Only for [`DeviceRequest::Gpu`]: no GPU, or one that fails the self-test.
pub fn select(request: DeviceRequest) -> Result<ComputeDevice> {
    if request == DeviceRequest::Cpu {
        return Ok(cpu());
    }
    match gpu() {
        Ok(device) => Ok(device),
        Err(cause) if request == DeviceRequest::Gpu => Err(UserError::new(
            "Cannot compute on a GPU",
            cause,
            "use --device cpu, or install the adapter's Vulkan driver; eddyscope devices lists what is found",
        )),
        Err(cause) => Ok(ComputeDevice {
            note: Some(cause),
            ..cpu()
        }),
    }
}

/// A GPU that passes the self-test, or why there is none.
fn gpu() -> std::result::Result<ComputeDevice, String> {
    let found = adapters();
    let allow_software = std::env::var_os(SOFTWARE_ADAPTER_VARIABLE).is_some();
    let real = found.iter().find(|a| !a.software);
    let Some(info) = real.or_else(|| found.iter().find(|_| allow_software)) else {
        return Err(match found.first() {
            None => "no graphics adapter was found".into(),
            Some(a) => format!(
                "the only adapter, {}, draws in software, which is slower than computing on the CPU",
                a.name
            ),
        });
    };
    let kind = if info.software {
        DeviceKind::Cpu
    } else {
        DeviceKind::DefaultDevice
    };
    // Initialisation and the self-test can panic inside drivers: a fault there must end in the CPU, not in a crash.
    let made = std::panic::catch_unwind(move || -> std::result::Result<Device, String> {
        let device = shared_gpu(kind)?;
        self_test::run(&device)?;
        Ok(device)
    });
    let device = match made {
        Ok(Ok(device)) => device,
        Ok(Err(e)) => return Err(format!("{}: {e}", info.name)),
        Err(_) => return Err(format!("{} failed while it was started", info.name)),
    };
    Ok(ComputeDevice {
        device,
        name: format!("{} ({})", info.name, info.backend),
        is_gpu: true,
        note: None,
    })
}

/// burn's wgpu runtime can be initialised once in a process: later calls get the same device.
fn shared_gpu(kind: DeviceKind) -> std::result::Result<Device, String> {
    static ONCE: std::sync::OnceLock<std::result::Result<Device, String>> =
        std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        Device::wgpu_options()
            .device_kind(kind)
            .init()
            .map_err(|e| e.to_string())
    })
    .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// burn, eframe and our own code name the same wgpu types: handles can pass between them.
    #[test]
    fn there_is_one_wgpu() {
        let _: fn(burn::tensor::wgpu::wgpu::Device) -> eframe::wgpu::Device = |d| d;
        let _: fn(eframe::wgpu::Queue) -> wgpu::Queue = |q| q;
    }

    #[test]
    fn the_cpu_passes_its_own_test_and_is_named() {
        let device = select(DeviceRequest::Cpu).unwrap();
        assert!(!device.is_gpu && device.name.starts_with("CPU, "));
        self_test::run(&device.device).unwrap();
    }
}
