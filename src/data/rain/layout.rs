//! Which variable is precipitation, and what its dimensions stand for.

use netcdf_reader::{NcFile, NcType, NcVariable};

/// What a dimension stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Time,
    Lat,
    Lon,
    /// Members of an ensemble (ERA5's `number`).
    Member,
    /// ERA5's `expver`: final and preliminary data side by side, each missing where the other is present.
    Version,
    Other,
}

/// A dimension of the chosen variable.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dimension {
    pub name: String,
    pub size: usize,
    pub role: Role,
    /// The variable that holds its coordinates.
    pub coordinate: Option<String>,
}

/// Text of an attribute, without the white space around it.
pub(super) fn text(variable: &NcVariable, name: &str) -> Option<String> {
    let value = variable.attribute(name)?.value.as_string()?;
    Some(value.trim_matches(['\0', ' ', '\n', '\t']).to_owned())
}

fn is_number(kind: &NcType) -> bool {
    matches!(
        kind,
        NcType::Byte
            | NcType::Short
            | NcType::Int
            | NcType::Float
            | NcType::Double
            | NcType::UByte
            | NcType::UShort
            | NcType::UInt
            | NcType::Int64
            | NcType::UInt64
    )
}

/// Role by the attributes of a coordinate, then by its name.
fn role_of(variable: &NcVariable) -> Role {
    let attribute = |name| {
        text(variable, name)
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    let (units, standard) = (attribute("units"), attribute("standard_name"));
    if standard.starts_with("grid_") {
        return Role::Other;
    }
    let degrees = units.replace("degrees", "degree");
    if standard == "latitude" || matches!(degrees.as_str(), "degree_north" | "degree_n" | "degreen")
    {
        return Role::Lat;
    }
    if standard == "longitude" || matches!(degrees.as_str(), "degree_east" | "degree_e" | "degreee")
    {
        return Role::Lon;
    }
    if units.contains(" since ") && standard != "forecast_reference_time" {
        return Role::Time;
    }
    role_by_name(variable.name())
}

fn role_by_name(name: &str) -> Role {
    match name.to_ascii_lowercase().as_str() {
        "lat" | "latitude" | "lats" | "nlat" => Role::Lat,
        "lon" | "longitude" | "lons" | "long" | "nlon" => Role::Lon,
        "time" | "valid_time" | "t" | "date" | "day" => Role::Time,
        "member" | "members" | "number" | "realization" | "realisation" | "ensemble" | "ens" => {
            Role::Member
        }
        "expver" => Role::Version,
        _ => Role::Other,
    }
}

/// The dimensions of a variable with their roles.
pub(super) fn dimensions(variables: &[NcVariable], variable: &NcVariable) -> Vec<Dimension> {
    variable
        .dimensions()
        .iter()
        .map(|d| {
            let over = |v: &&NcVariable| v.ndim() == 1 && v.dimensions()[0].name == d.name;
            let own = variables.iter().filter(over).find(|v| v.name() == d.name);
            // `lat(nlat)`: a coordinate under another name.
            let coordinate = own.or_else(|| {
                variables
                    .iter()
                    .filter(over)
                    .find(|v| is_number(v.dtype()) && role_of(v) != Role::Other)
            });
            let role = match coordinate.map(role_of) {
                None | Some(Role::Other) => role_by_name(&d.name),
                Some(role) => role,
            };
            Dimension {
                name: d.name.clone(),
                size: usize::try_from(d.size).unwrap_or(usize::MAX),
                role,
                coordinate: coordinate
                    .filter(|v| is_number(v.dtype()))
                    .map(|v| v.name().to_owned()),
            }
        })
        .collect()
}

/// Variables that could be precipitation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    /// Recognised by standard name or name, the likeliest first.
    pub known: Vec<String>,
    /// Other fields on a latitude-longitude grid.
    pub other: Vec<String>,
    /// Numeric variables with rows and columns, but not on such a grid.
    pub off_grid: Vec<String>,
    /// Every variable.
    pub all: Vec<String>,
}

/// Names under which total precipitation goes, the likeliest first.
const NAMES: [&str; 24] = [
    "pr",
    "tp",
    "precip",
    "precipitation",
    "total_precipitation",
    "lwe_precipitation_rate",
    "prcp",
    "mtpr",
    "avg_tprate",
    "tprate",
    "prect",
    "tot_prec",
    "precipitationcal",
    "rain",
    "rainfall",
    "rr",
    "ppt",
    "prate",
    "pre",
    "precipitation_flux",
    "totprec",
    "tot_precip",
    "apcp",
    "prectot",
];

/// Standard names of total precipitation.
const STANDARD: [&str; 8] = [
    "lwe_precipitation_rate",
    "precipitation_flux",
    "precipitation_amount",
    "lwe_thickness_of_precipitation_amount",
    "rainfall_flux",
    "rainfall_rate",
    "rainfall_amount",
    "thickness_of_rainfall_amount",
];

/// Variables that carry such standard names, yet only a part of the precipitation or its spread.
fn is_part(variable: &NcVariable) -> bool {
    let name = variable.name().to_ascii_lowercase();
    let parts = ["prc", "cp", "lsp", "prsn", "sf", "prl", "precc", "precl"];
    let words = [
        "error",
        "uncertainty",
        "quality",
        "count",
        "stdev",
        "_std",
        "_bnds",
        "bounds",
    ];
    parts.contains(&name.as_str()) || words.iter().any(|w| name.contains(w))
}

/// Sorts the variables of a file into candidates.
pub(super) fn candidates(file: &NcFile) -> netcdf_reader::Result<Candidates> {
    let variables = file.variables()?;
    let mut found = Candidates::default();
    let mut ranked: Vec<(usize, String)> = Vec::new();
    for v in variables {
        found.all.push(v.name().to_owned());
        if !is_number(v.dtype()) || v.ndim() < 2 {
            continue;
        }
        let roles: Vec<Role> = dimensions(variables, v).iter().map(|d| d.role).collect();
        let known = rank(v).filter(|_| !is_part(v));
        if !(roles.contains(&Role::Lat) && roles.contains(&Role::Lon)) {
            if v.ndim() >= 3 || known.is_some() {
                found.off_grid.push(v.name().to_owned());
            }
            continue;
        }
        match known {
            Some(rank) => ranked.push((rank, v.name().to_owned())),
            None => found.other.push(v.name().to_owned()),
        }
    }
    ranked.sort();
    found.known = ranked.into_iter().map(|(_, name)| name).collect();
    Ok(found)
}

/// How likely a variable is precipitation; the smaller the likelier.
fn rank(variable: &NcVariable) -> Option<usize> {
    let name = variable.name().to_ascii_lowercase();
    let by_name = NAMES.iter().position(|n| *n == name);
    let standard = text(variable, "standard_name").unwrap_or_default();
    let by_standard = STANDARD.contains(&standard.as_str()).then_some(NAMES.len());
    by_name.or(by_standard)
}

/// Whether the variable is one of ERA5's, by its name: stamps of hourly data end the hour.
pub(super) fn ends_at_stamp(name: &str) -> bool {
    matches!(
        name.to_ascii_lowercase().as_str(),
        "tp" | "mtpr" | "avg_tprate" | "total_precipitation"
    )
}
