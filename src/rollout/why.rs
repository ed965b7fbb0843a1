//! Why a guidance strength is suggested, in a sentence, out of the model's card.

use crate::model::ModelCard;
use crate::model::card::QualityCard;

/// A sentence on the strength of a discriminator; `family` is how the settings of its measurements begin.
pub(super) fn why(card: &ModelCard, family: &str, suggested: f32, usable: f32) -> String {
    let limit = format!("above {usable:.2} rollouts blow up");
    let strength = format!("lambda {suggested},");
    let history = card.two_tower.as_ref().map(|t| t.suggested_history);
    let history = history.map_or(String::new(), |m| format!("m = {m},"));
    let of_strength =
        |q: &&QualityCard| q.setting.starts_with(family) && q.setting.contains(&strength);
    let measured = || card.quality.iter().filter(of_strength);
    // Measured at the suggested history length, if it was.
    let measured = measured()
        .find(|q| q.setting.contains(&history))
        .or_else(|| measured().next());
    let Some(q) = measured else {
        return format!("The model card holds no measurement of it; {limit}.");
    };
    if let (Some(acf), Some(std), Some(skill)) = (q.acf_mae, q.std_ratio, q.dynamics_skill) {
        return format!(
            "Measured with it: autocorrelation within {acf:.3} of truth's, spread {std:.2} of truth's, dynamics skill \
             {skill:.2} (truth {:.2}); {limit}.",
            card.truth.dynamics_skill
        );
    }
    let asked = q.figures.iter().filter_map(|f| f.holds);
    let (held, all) = asked.fold((0, 0), |(held, all), holds| {
        (held + usize::from(holds), all + 1)
    });
    match all {
        0 => format!("The model card holds no measurement of it; {limit}."),
        _ => format!(
            "Measured with it: {held} of the {all} figures that are asked of a run hold; {limit}."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::why;
    use crate::model::Model;

    #[test]
    fn the_card_gives_the_reason() {
        let card = Model::open("vorticity").unwrap().card;
        let text = why(&card, "two-tower", 1.0, 1.5);
        assert!(
            text.contains("dynamics skill 0.58 (truth 0.59); above 1.5"),
            "{text}"
        );
        let unknown = why(&card, "two-tower", 0.77, 1.5);
        assert!(unknown.contains("no measurement"), "{unknown}");
        let rain = Model::open("precipitation").unwrap().card;
        let text = why(&rain, "two-tower", 1.0, 1.5);
        assert!(
            text.contains(" figures that are asked of a run hold"),
            "{text}"
        );
    }
}
