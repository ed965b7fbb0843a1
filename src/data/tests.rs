//! Files, start frames and batches.

use std::io;
use std::path::Path;

use netcdf_writer::{NcAttrValue, NcFileBuilder, NcWriteFormat, NcWriteOptions};

use super::augment::append_crop;
use super::dataset::Part;
use super::files::{read_error, write_atomically};
use super::*;
use crate::field::Grid;
use crate::sim::{Forcing, Params, Solver};

/// Values that say where they are: member, time, y, x in the digits.
fn labelled(members: usize, frames: usize, n: usize) -> Series {
    let mut series = Series::zeros(Grid::periodic(n), members, frames, 0.16).unwrap();
    let cells = n * n;
    for (i, v) in series.values.iter_mut().enumerate() {
        *v = ((i / cells / frames) * 100 + i / cells % frames) as f32 + 0.001 * (i % cells) as f32;
    }
    series
}

#[test]
fn run_file_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.nc");
    let mut series = labelled(3, 5, 8);
    series.start_frames = 4;
    series.t0 = -0.48;
    series.recipe = Some(r#"{"seed": 7, "name": "λ = 1"}"#.into());
    series.history = Some("eddyscope simulate --seed 7".into());
    write_series(&path, &series).unwrap();
    let again = folder.path().join("again.nc");
    write_series(&again, &series).unwrap();
    assert_eq!(
        std::fs::read(&path).unwrap(),
        std::fs::read(&again).unwrap()
    );

    let back = read_series(&path, None).unwrap();
    assert_eq!(back.values, series.values);
    assert_eq!((back.members, back.frames), (3, 5));
    assert_eq!((back.grid.ny, back.grid.nx), (8, 8));
    assert!((back.grid.length - series.grid.length).abs() < 1e-12);
    assert!((back.frame_interval - 0.16).abs() < 1e-12 && (back.t0 + 0.48).abs() < 1e-12);
    assert_eq!((back.start_frames, &back.recipe), (4, &series.recipe));
    assert!(back.history.unwrap().contains("simulate --seed 7"));
    // Nothing else is left in the folder.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

fn netcdf(format: NcWriteFormat, dims: &[(&str, u64)], values: &[f64]) -> Vec<u8> {
    let mut file = NcFileBuilder::new();
    let ids: Vec<_> = dims
        .iter()
        .map(|&(name, size)| file.add_dimension(name, size).unwrap())
        .collect();
    let v = file.add_variable::<f64>("field", &ids).unwrap();
    file.write_variable(v, values).unwrap();
    file.to_vec(NcWriteOptions { format }).unwrap().1
}

fn read_bytes(name: &str, bytes: &[u8]) -> crate::error::Result<Series> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read_series(&path, None)
}

#[test]
fn other_shapes_types_and_formats() {
    let ramp: Vec<f64> = (0..24).map(f64::from).collect();
    let wide: Vec<f32> = ramp.iter().map(|&v| v as f32).collect();
    for format in [
        NcWriteFormat::AutoClassic,
        NcWriteFormat::Cdf5,
        NcWriteFormat::Nc4,
    ] {
        for (dims, shape) in [
            (vec![("y", 4), ("x", 6)], (1, 1, 4, 6)),
            (vec![("time", 2), ("y", 3), ("x", 4)], (1, 2, 3, 4)),
            (vec![("member", 2), ("y", 3), ("x", 4)], (2, 1, 3, 4)),
            (vec![("a", 2), ("b", 3), ("c", 2), ("d", 2)], (2, 3, 2, 2)),
        ] {
            let series = read_bytes("a.nc", &netcdf(format, &dims, &ramp)).unwrap();
            let found = (
                series.members,
                series.frames,
                series.grid.ny,
                series.grid.nx,
            );
            assert_eq!(
                (found, &series.values),
                (shape, &wide),
                "{format:?} {dims:?}"
            );
            assert!(series.frame_interval.is_nan());
        }
    }

    // Packed: value = stored * 0.5 + 1, with a fill value.
    let mut file = NcFileBuilder::new();
    let y = file.add_dimension("y", 2).unwrap();
    let x = file.add_dimension("x", 2).unwrap();
    let v = file.add_variable::<i16>("vorticity", &[y, x]).unwrap();
    for (name, value) in [("scale_factor", 0.5), ("add_offset", 1.0)] {
        file.add_variable_attribute(v, name, NcAttrValue::Doubles(vec![value]))
            .unwrap();
    }
    file.set_variable_fill_value(v, -99_i16).unwrap();
    file.write_variable(v, &[0_i16, 1, 2, 3]).unwrap();
    let bytes = file.to_vec(NcWriteOptions::default()).unwrap().1;
    assert_eq!(
        read_bytes("a.nc", &bytes).unwrap().values,
        [1.0, 1.5, 2.0, 2.5]
    );
    file.write_variable(v, &[0_i16, -99, 2, 3]).unwrap();
    let bytes = file.to_vec(NcWriteOptions::default()).unwrap().1;
    let error = read_bytes("a.nc", &bytes).unwrap_err();
    assert!(error.cause.contains("row 0, column 1"), "{error}");
}

/// A .npy file of format 1.0.
fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn npy_files() {
    let f4: Vec<u8> = (0..12).flat_map(|v| (v as f32).to_le_bytes()).collect();
    let f8: Vec<u8> = (0..12).flat_map(|v| f64::from(v).to_le_bytes()).collect();
    let series = read_bytes("a.npy", &npy("<f4", "False", "(3, 2, 2)", &f4)).unwrap();
    assert_eq!((series.frames, series.values[11]), (3, 11.0));
    let series = read_bytes("a.npy", &npy("<f8", "False", "(3, 4)", &f8)).unwrap();
    assert_eq!((series.frames, series.values[11]), (1, 11.0));
    for (bytes, word) in [
        (npy(">f4", "False", "(3, 4)", &f4), "type >f4"),
        (npy("<f4", "True", "(3, 4)", &f4), "Fortran"),
        (npy("<f4", "False", "(3, 5)", &f4), "truncated"),
        (npy("<f4", "False", "(12,)", &f4), "1 dimensions"),
        (npy("<f4", "False", "(0, 4)", &f4), "no values"),
        (
            npy("<f4", "False", "(99999999999, 99999999999)", &f4),
            "no memory",
        ),
        (npy("<f4", "False", "(x, 4)", &f4), "damaged"),
        (b"\x93NUMPY\x01\x00\xff\xff{".to_vec(), "damaged"),
        (b"\x93NUMPY".to_vec(), "damaged"),
    ] {
        let error = read_bytes("a.npy", &bytes).unwrap_err();
        assert!(error.cause.contains(word), "{word}: {error}");
    }
}

#[test]
fn unfit_files_are_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let missing = read_series(&folder.path().join("none.nc"), None).unwrap_err();
    assert!(missing.cause.contains("no such file"), "{missing}");
    let directory = read_series(folder.path(), None).unwrap_err();
    assert!(directory.cause.contains("folder"), "{directory}");
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    assert!(
        read_error(Path::new("a.nc"), &denied)
            .cause
            .contains("permission")
    );

    let text = b"not a NetCDF file at all, just some words in a row".to_vec();
    let two = {
        let mut file = NcFileBuilder::new();
        let y = file.add_dimension("y", 2).unwrap();
        for name in ["temp", "salt"] {
            let v = file.add_variable::<f32>(name, &[y, y]).unwrap();
            file.write_variable(v, &[0.0_f32; 4]).unwrap();
        }
        file.to_vec(NcWriteOptions::default()).unwrap().1
    };
    let order = [("x", 2), ("y", 3), ("time", 4)];
    let nan = [0.0, 1.0, f64::NAN, 3.0];
    let auto = NcWriteFormat::AutoClassic;
    for (bytes, word) in [
        (vec![], "empty"),
        (text, "neither NetCDF"),
        (b"CDF".to_vec(), "truncated"),
        (two, "temp, salt"),
        (netcdf(auto, &order, &[0.0; 24]), "order member, time, y, x"),
        (netcdf(auto, &[("y", 2), ("x", 2)], &nan), "row 1, column 0"),
        (
            netcdf(auto, &[("x", 4)], &nan),
            "no variable named vorticity",
        ),
    ] {
        let error = read_bytes("a.nc", &bytes).unwrap_err();
        assert!(error.headline.contains("a.nc"), "{error}");
        assert!(error.cause.contains(word), "{word}: {error}");
        assert!(!error.remedy.is_empty());
    }

    // A variable that is there, but is not a field.
    let path = folder.path().join("b.nc");
    let one = netcdf(auto, &[("x", 4)], &[0.0; 4]);
    std::fs::write(&path, one).unwrap();
    let error = read_series(&path, Some("field")).unwrap_err();
    assert!(error.cause.contains("1 dimensions"), "{error}");

    // Uneven times.
    let mut file = NcFileBuilder::new();
    let t = file.add_dimension("time", 3).unwrap();
    let y = file.add_dimension("y", 2).unwrap();
    let times = file.add_variable::<f64>("time", &[t]).unwrap();
    file.write_variable(times, &[0.0, 1.0, 5.0]).unwrap();
    let v = file.add_variable::<f32>("vorticity", &[t, y, y]).unwrap();
    file.write_variable(v, &[0.0_f32; 12]).unwrap();
    let bytes = file.to_vec(NcWriteOptions::default()).unwrap().1;
    let error = read_bytes("a.nc", &bytes).unwrap_err();
    assert!(error.cause.contains("equally spaced"), "{error}");
}

#[test]
fn damaged_files_give_an_error_or_numbers_but_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good.nc");
    write_series(&path, &labelled(2, 3, 4)).unwrap();
    let classic = std::fs::read(&path).unwrap();
    let four = netcdf(NcWriteFormat::Nc4, &[("y", 4), ("x", 6)], &[0.5; 24]);
    let damaged = folder.path().join("bad.nc");
    for good in [classic, four] {
        for length in (1..good.len()).step_by(7) {
            std::fs::write(&damaged, &good[..length]).unwrap();
            let result = read_series(&damaged, None);
            assert!(result.is_err(), "accepted {length} of {} bytes", good.len());
        }
        for position in (0..good.len()).step_by(5) {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[position] ^= flip;
                std::fs::write(&damaged, &bytes).unwrap();
                if let Ok(series) = read_series(&damaged, None) {
                    let cells = series.grid.len();
                    assert_eq!(series.values.len(), series.members * series.frames * cells);
                }
            }
        }
    }
}

#[test]
fn output_places_are_checked_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    check_writable(&inside("new.nc")).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let error = check_writable(&inside("none/new.nc")).unwrap_err();
    assert!(error.cause.contains("no folder"), "{error}");
    let error = check_writable(folder.path()).unwrap_err();
    assert!(error.cause.contains("folder, not a file"), "{error}");
    std::fs::write(inside("old.nc"), "old").unwrap();
    let mut permissions = std::fs::metadata(inside("old.nc")).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(inside("old.nc"), permissions).unwrap();
    let error = write_series(&inside("old.nc"), &labelled(1, 1, 4)).unwrap_err();
    assert!(error.cause.contains("write-protected"), "{error}");

    // A failed write leaves the old file and nothing else.
    std::fs::write(inside("kept.txt"), "kept").unwrap();
    let failed = write_atomically(&inside("kept.txt"), |_| {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    });
    assert!(failed.unwrap_err().cause.contains("full"));
    assert_eq!(std::fs::read(inside("kept.txt")).unwrap(), b"kept");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    let mut empty = labelled(1, 1, 4);
    empty.values.clear();
    assert!(write_series(&inside("new.nc"), &empty).is_err());
}

#[test]
fn start_frames_are_the_last_ones_and_never_repeated() {
    let series = labelled(3, 5, 8);
    let grid = Grid::periodic(8);
    let start = start_from_series("a.nc", &series, grid, 3, 2).unwrap();
    assert_eq!((start.members.len(), start.members[0].len()), (2, 4));
    assert_eq!(
        (start.members[1][0][0], start.members[1][3][0]),
        (101.0, 104.0)
    );
    assert!(!start.shared);
    let few = start_from_series("a.nc", &series, grid, 5, 1).unwrap_err();
    assert!(
        few.cause.contains("5 frame(s)") && few.remedy.contains("length of 4"),
        "{few}"
    );
    let many = start_from_series("a.nc", &series, grid, 3, 4).unwrap_err();
    assert!(many.cause.contains("3 members, 4"), "{many}");
    let size = start_from_series("a.nc", &series, Grid::periodic(64), 3, 1).unwrap_err();
    assert!(
        size.cause.contains("8 x 8") && size.cause.contains("64 x 64"),
        "{size}"
    );
    let shared = start_from_series("a.nc", &labelled(1, 2, 8), grid, 1, 4).unwrap();
    assert!(shared.shared && shared.members[3] == shared.members[0]);
}

#[test]
fn symmetries_commute_with_the_solver() {
    let params = Params {
        n: 32,
        forcing: Forcing::None,
        ..Params::preset("vorticity-64").unwrap()
    };
    let mut solver = Solver::new(&params).unwrap();
    let state = solver.random_state(4, 0);
    let field = solver.field(&state);
    let next = solver.unforced_frame(&field);
    for quarter_turns in 0..4 {
        for mirror in [false, true] {
            let symmetry = Symmetry {
                roll: (5, 11),
                quarter_turns,
                mirror,
            };
            let apply = |f: &[f32]| {
                let mut out = Vec::new();
                symmetry.append(f, 32, 32, &mut out);
                out
            };
            assert_ne!(apply(&field), field);
            let after = solver.unforced_frame(&apply(&field));
            let error = apply(&next)
                .iter()
                .zip(&after)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(error < 1e-5, "{symmetry:?}: {error}");
        }
    }
    // Without the change of sign the mirror image is not a solution.
    let wrong = |f: &[f32]| -> Vec<f32> { f.iter().map(|v| -v).collect() };
    let after = solver.unforced_frame(&wrong(&field));
    let apart = wrong(&next)
        .iter()
        .zip(&after)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(apart > 1e-2, "{apart}");
}

#[test]
fn batches_depend_on_seed_and_step_alone() {
    let data = |seed| Dataset::new(labelled(4, 6, 8), 1, None, seed).unwrap();
    let (a, b) = (data(1), data(1));
    assert_eq!(a.batch_frames(7, 5, true), b.batch_frames(7, 5, true));
    assert_ne!(a.batch_frames(7, 5, true), a.batch_frames(8, 5, true));
    assert_ne!(a.batch_frames(7, 5, true), data(2).batch_frames(7, 5, true));
    assert_eq!(a.batch_frames(7, 5, true).len(), 5 * 64);

    // Without augmentation the labels survive: windows go back in time inside one training run.
    let scale = a.normalisation().scale as f32;
    let label = |v: f32| (v * scale).round() as i64;
    for step in 0..40 {
        let windows = a.batch_windows(step, 3, 3, false);
        for window in windows.chunks_exact(4 * 64) {
            let labels: Vec<i64> = window.chunks_exact(64).map(|f| label(f[0])).collect();
            let newest = labels[0];
            assert_eq!(labels, [newest, newest - 1, newest - 2, newest - 3]);
            assert!(newest / 100 < 3 && newest % 100 >= 3, "{labels:?}");
        }
    }
    let windows = a.validation_windows(4, 1);
    assert!(windows.chunks_exact(64).all(|f| label(f[0]) / 100 == 3));
    assert_eq!(
        (a.runs(Part::Training), a.runs(Part::Validation)),
        (0..3, 3..4)
    );
    assert!(a.batch_windows(0, 3, 6, false).is_empty());
    assert!(Dataset::new(labelled(2, 3, 4), 2, None, 0).is_err());
    let zeros = Series::zeros(Grid::periodic(4), 2, 2, 1.0).unwrap();
    assert!(Dataset::new(zeros, 1, None, 0).is_err());
}

#[test]
fn normalised_training_data_have_standard_deviation_one_half() {
    let data = Dataset::new(labelled(4, 6, 8), 1, None, 0).unwrap();
    let (mut sum, mut count) = (0.0, 0);
    for run in data.runs(Part::Training) {
        for frame in 0..6 {
            for v in data.frame(run, frame).unwrap() {
                sum += f64::from(*v).powi(2);
                count += 1;
            }
        }
    }
    assert!(((sum / f64::from(count)).sqrt() - 0.5).abs() < 1e-6);
}

#[test]
fn pairs_have_the_lags_they_say() {
    let data = Dataset::new(labelled(4, 40, 4), 1, None, 3).unwrap();
    let scale = data.normalisation().scale as f32;
    let label = |v: f32| (v * scale).round() as i64;
    let settings = PairSettings {
        crop_share: 1.0,
        sigma_step: 2.0,
        random_share: 0.25,
        crop: None,
    };
    let (mut random, mut lags) = (0, Vec::new());
    for step in 0..200 {
        let pairs = data.batch_pairs(step, 8, 2, &settings, false);
        assert_eq!(pairs, data.batch_pairs(step, 8, 2, &settings, false));
        for i in 0..8 {
            let now = label(pairs.history[i * 32]);
            assert_eq!(label(pairs.history[i * 32 + 16]), now - 1);
            assert_eq!(label(pairs.positive[i * 16]), now + 1);
            let other = label(pairs.negative[i * 16]);
            assert_ne!(other, now + 1);
            match pairs.lags[i] {
                Some(lag) => {
                    assert_eq!(other, now + lag);
                    lags.push(lag as f64);
                }
                None => random += 1,
            }
        }
    }
    assert!((320..480).contains(&random), "{random} of 1600");
    let mean = lags.iter().sum::<f64>() / lags.len() as f64;
    let var = lags.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / lags.len() as f64;
    assert!((mean - 1.0).abs() < 0.3, "{mean}");
    // round(N(1, 2)) without 1: variance (4 + 1/12) / (1 - P(l = 1)) = 5.1.
    assert!((4.2..5.8).contains(&var), "{var}");

    let settings = PairSettings {
        crop_share: 1.0,
        crop: Some(2),
        ..settings
    };
    let pairs = data.batch_pairs(0, 8, 2, &settings, true);
    assert_eq!((pairs.shape, pairs.history.len()), ((2, 2), 8 * 2 * 4));
}

#[test]
fn crops_wrap_around() {
    let frame: Vec<f32> = (0..16).map(|v| v as f32).collect();
    let mut out = Vec::new();
    append_crop(&frame, (4, 4), 2, (3, 3), &mut out);
    assert_eq!(out, [15.0, 12.0, 3.0, 0.0]);
}
