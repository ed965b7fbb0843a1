//! Controls that only the globe has: the date, the start, the map.

use egui::{ComboBox, DragValue, RichText, Ui};

use crate::data::{Calendar, Date};
use crate::render::{ColorMap, Projection, Scale};

use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{note, row, segmented};

/// Whether the discriminator is told the day of the year, where it can be.
pub fn season(ui: &mut Ui, state: &mut State) {
    if !state.globe().is_some_and(|g| g.knows_season) {
        return;
    }
    let tip = "The history tower is told the day of the year. The method of the paper never sees a date: its season comes \
               from the frames before and can drift. With the date it keeps to the calendar.";
    let season = &mut state.prefs.settings.guidance.season;
    let changed = ui
        .checkbox(season, "Tell the discriminator the date")
        .on_hover_text(tip)
        .changed();
    if changed {
        state.publish();
    }
}

/// Date of the start. Returns whether a new rollout is wanted.
pub fn start_date(ui: &mut Ui, state: &mut State) -> bool {
    let Some(globe) = state.globe().cloned() else {
        return false;
    };
    let (first, last) = globe.recorded;
    let label = ui.label("Start date");
    let edit = egui::TextEdit::singleline(&mut state.files.start_date)
        .hint_text("YYYY-MM-DD or empty")
        .desired_width(f32::INFINITY);
    let response = ui.add(edit).labelled_by(label.id);
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
    let read = read_date(&state.files.start_date, globe.calendar, (first, last));
    match &read {
        Ok(_) => note(
            ui,
            format!(
                "{}: {first} to {last}. Empty, the seed chooses.",
                globe.recording
            ),
        ),
        Err(what) => ui.label(RichText::new(what).small().color(palette(ui).alarm)),
    };
    match read {
        Ok(date) if response.changed() || entered => {
            let new = date != state.prefs.spec.start_date;
            state.prefs.spec.start_date = date;
            entered || (new && date.is_some())
        }
        _ => false,
    }
}

/// A typed date; `None` for an empty field.
fn read_date(
    text: &str,
    calendar: Calendar,
    (first, last): (Date, Date),
) -> Result<Option<Date>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let mut parts = text.split('-').map(str::trim);
    let mut number = || parts.next().and_then(|p| p.parse::<i32>().ok());
    let (year, month, day) = (number(), number(), number());
    let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else {
        return Err(format!("Write the date as {first}"));
    };
    let small = |v: i32| u8::try_from(v).unwrap_or(0);
    let date = Date {
        year,
        month: small(month),
        day: small(day),
    };
    if !calendar.has(date) {
        return Err(format!(
            "{text} is not in the {} calendar",
            calendar.cf_name()
        ));
    }
    if date < first || date > last {
        return Err(format!("Recorded are {first} to {last}"));
    }
    Ok(Some(date))
}

/// Colours, scale, projection, lines.
pub fn picture(ui: &mut Ui, state: &mut State) {
    row(ui, "Colours", "", |ui| {
        let chosen = state.prefs.rain_map();
        ComboBox::from_id_salt("colour map")
            .selected_text(chosen.label())
            .show_ui(ui, |ui| {
                for map in ColorMap::ALL.into_iter().filter(|m| !m.is_diverging()) {
                    if ui
                        .selectable_label(map == chosen, map.label())
                        .on_hover_text(map.about())
                        .clicked()
                    {
                        state.prefs.color_map = Some(map);
                    }
                }
            });
    });
    ui.label("Scale");
    let tips = [
        "Equal ratios: drizzle and downpour are both seen",
        "Equal shares of the wet cells: every colour covers as much of the globe",
        "Equal steps: only heavy rain stands out",
    ];
    let choices: Vec<_> = Scale::ALL
        .into_iter()
        .zip(tips)
        .map(|(scale, tip)| (scale, scale.label(), tip))
        .collect();
    if segmented(ui, "Scale", &mut state.prefs.globe.scale, &choices) {
        state.prefs.globe.top = None;
    }
    let mut top = state.prefs.rain_range().hi;
    let tip = "Amount of the last colour: the same for all lanes and all times. Below 0.1 mm/day a cell counts as dry.";
    let reset = row(ui, "Up to [mm/day]", tip, |ui| {
        let drag = DragValue::new(&mut top)
            .speed(0.5)
            .range(1.0..=1000.0)
            .max_decimals(0);
        if ui.add(drag).changed() {
            state.prefs.globe.top = Some(top);
        }
        state.prefs.globe.top.is_some() && ui.small_button("Reset").clicked()
    });
    if reset {
        state.prefs.globe.top = None;
    }
    ui.checkbox(&mut state.prefs.smooth, "Smooth between cells");
    ui.add_space(GRID);
    map(ui, state);
}

/// Projection and lines: also in the menu of the top bar.
pub fn map(ui: &mut Ui, state: &mut State) {
    let globe = &mut state.prefs.globe;
    ui.label("Projection");
    let choices = [
        (
            Projection::Equirectangular,
            "lon-lat",
            "Equirectangular: longitude and latitude as they are (P)",
        ),
        (
            Projection::EqualEarth,
            "Equal Earth",
            "Areas are true: as much rain is as much colour (P)",
        ),
    ];
    segmented(ui, "Projection", &mut globe.view.projection, &choices);
    let tip = "Longitude in the middle of the map, degrees east; drag a lane to turn the globe";
    row(ui, "Central longitude", tip, |ui| {
        ui.add(
            DragValue::new(&mut globe.view.lon)
                .speed(1.0)
                .range(-180.0..=180.0)
                .max_decimals(0)
                .suffix("°"),
        );
    });
    ui.checkbox(&mut globe.coast, "Coastlines")
        .on_hover_text("Natural Earth, 1:110 million (C)");
    ui.checkbox(&mut globe.graticule, "Graticule")
        .on_hover_text("Meridians and parallels every 30° (G)");
    if !globe.view.is_whole() && ui.button("Whole globe").clicked() {
        globe.view = globe.view.whole();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_checked() {
        let date = |year, month, day| Date { year, month, day };
        let range = (date(2059, 1, 1), date(2060, 12, 31));
        let read = |text| read_date(text, Calendar::NoLeap, range);
        assert_eq!(read(" 2059-07-14 "), Ok(Some(date(2059, 7, 14))));
        assert_eq!(read(""), Ok(None));
        assert!(read("2060-02-29").is_err_and(|e| e.contains("noleap")));
        assert!(read("2058-12-31").is_err_and(|e| e.contains("2059-01-01")));
        assert!(read("14.7.2059").is_err_and(|e| e.contains("2059-01-01")));
        assert!(read("2059-07-14-1").is_err() && read("2059-300-14").is_err());
    }
}
