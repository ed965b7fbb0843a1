"""Makes the files in tests/rain and expected.json beside them: precipitation files of different making, and what xarray
reads from them.

    pip install netCDF4 xarray cftime
    python tests/reference/rain_files.py

Good cases hold the days that xarray gives (mm/day, rows south to north, columns from lon0 eastwards), bad ones a piece of
the error that must be shown. The files are small and made with a fixed seed.
"""

import json
import pathlib
import shutil

import netCDF4
import numpy as np
import xarray as xr

HERE = pathlib.Path(__file__).resolve().parent.parent / "rain"
RNG = np.random.default_rng(20240401)
CASES = []

CELL = (np.arange(6) - 2.5) * 30.0
POLES = np.linspace(-90.0, 90.0, 7)
LON = np.arange(12) * 30.0


def rain(n, ny=6, nx=12):
    """Days with a global mean near 2.7 mm/day, a third of the cells dry."""
    values = RNG.gamma(0.5, 8.0, (n, ny, nx))
    values[RNG.random((n, ny, nx)) < 0.33] = 0.0
    return values


class File:
    """A file with lat, lon and time, and one field more for each call of field()."""

    def __init__(self, name, format="NETCDF3_CLASSIC", lat=CELL, lon=LON, lat_name="lat", lon_name="lon", coordinate="f8"):
        self.path = HERE / name
        self.set = netCDF4.Dataset(self.path, "w", format=format)
        self.names = {"lat": lat_name, "lon": lon_name, "time": "time"}
        for name, values, units in [(lat_name, lat, "degrees_north"), (lon_name, lon, "degrees_east")]:
            self.set.createDimension(name, len(values))
            v = self.set.createVariable(name, coordinate, (name,))
            v.units = units
            v[:] = values

    def time(self, values, units, calendar=None, bounds=None, name="time", kind="f8", unlimited=True):
        self.names["time"] = name
        self.set.createDimension(name, None if unlimited else len(values))
        chunks = {"chunksizes": (min(len(values), 24),)} if unlimited and len(values) and "4" in self.set.data_model[6:] else {}
        v = self.set.createVariable(name, kind, (name,), **chunks)
        v.units = units
        if calendar:
            v.calendar = calendar
        if bounds is not None:
            self.set.createDimension("bnds", 2)
            v.bounds = name + "_bnds"
            chunks = {"chunksizes": (len(values), 2)} if chunks else {}
            b = self.set.createVariable(name + "_bnds", "f8", (name, "bnds"), **chunks)
        v[:] = values
        if bounds is not None:
            b[:] = bounds
        return self

    def field(self, values, name="pr", dims=("time", "lat", "lon"), kind="f4", fill=None, attrs=None, raw=False, **options):
        dims = tuple(self.names.get(d, d) for d in dims)
        if self.set.data_model.startswith("NETCDF4") and "contiguous" not in options:
            options.setdefault("chunksizes", np.shape(values))
        v = self.set.createVariable(name, kind, dims, fill_value=fill, **options)
        for key, value in (attrs or {}).items():
            v.setncattr(key, value)
        if raw:
            v.set_auto_maskandscale(False)
        v[:] = values
        return self

    def close(self):
        self.set.close()
        return self.path.name


def days(n, first=0.0):
    t = first + np.arange(n)
    return t + 0.5, np.stack([t, t + 1.0], 1)


def read(names, variable, factor, shift=0.0, step=24.0, pick=None):
    """Days as xarray reads them; shift (hours) moves stamps to the middle of their intervals."""
    parts = []
    for name in names:
        coder = xr.coders.CFDatetimeCoder(use_cftime=True)
        with xr.open_dataset(HERE / name, decode_times=coder) as ds:
            da = ds[variable].load()
            if pick is not None:
                da = pick(da)
            roles = {}
            for d in da.dims:
                units = da[d].attrs.get("units", "") if d in da.coords else ""
                roles[d] = "lat" if "north" in units else "lon" if "east" in units else d
            for old in ("valid_time",):
                if old in da.dims:
                    roles[old] = "time"
            da = da.rename({a: b for a, b in roles.items() if a != b})
            if "time" not in da.dims:
                da = da.assign_coords(time=ds["time"]).expand_dims("time")
            for d in [d for d in da.dims if d not in ("time", "lat", "lon")]:
                da = da.isel({d: 0}, drop=True)
            parts.append((da.transpose("time", "lat", "lon"), ))
    parts = [p[0] for p in parts]
    lon0 = float(parts[0].lon[0])
    if parts[0].lon[1] - parts[0].lon[0] < 0 and parts[0].lon[0] - parts[0].lon[1] < 180:
        lon0 = float(parts[0].lon[-1])
    east = lambda da: da.assign_coords(lon=((da.lon - lon0) % 360.0).round(6)).sortby("lon")
    parts = [east(p).sortby("lat").drop_vars([c for c in p.coords if c not in ("time", "lat", "lon")]) for p in parts]
    da = xr.concat(parts, "time")
    keep = {}
    import datetime

    for i, t in enumerate(da.time.values):
        # To the second: times in single precision are off by a little.
        middle = t + datetime.timedelta(hours=shift)
        total = middle.hour * 3600 + middle.minute * 60 + middle.second
        slot = int(total // round(step * 3600))
        keep.setdefault((middle.year, middle.month, middle.day), {}).setdefault(slot, i)
    whole = sorted(d for d, s in keep.items() if len(s) == round(24 / step))
    values = []
    for d in whole:
        at = [keep[d][s] for s in sorted(keep[d])]
        values.append(da.values[at].astype("f8").mean(0) * factor)
    values = np.array(values)
    small = np.where(values < 0, 0.0, values)
    return {
        "dates": ["%04d-%02d-%02d" % d for d in whole],
        "lat": [round(float(x), 6) for x in da.lat.values],
        "lon0": lon0 % 360.0,
        "nx": int(da.lon.size),
        "values": [[None if np.isnan(x) else float("%.7g" % x) for x in v.ravel()] for v in small],
    }


def good(about, names, variable="pr", factor=1.0, shift=0.0, step=24.0, questions=(), choices=None, pick=None, says=()):
    names = [names] if isinstance(names, str) else list(names)
    CASES.append({
        "about": about,
        "files": names,
        "choices": choices or {},
        "questions": list(questions),
        "says": list(says),
        "expected": read(names, variable, factor, shift, step, pick),
    })


def bad(about, names, error, choices=None):
    names = [names] if isinstance(names, str) else list(names)
    CASES.append({"about": about, "files": names, "choices": choices or {}, "error": error})


MM = {"units": "mm/day"}


def formats():
    t, b = days(4, 59.0)
    for name, format in [("cdf1", "NETCDF3_CLASSIC"), ("cdf2", "NETCDF3_64BIT_OFFSET"), ("cdf5", "NETCDF3_64BIT_DATA"), ("nc4-classic", "NETCDF4_CLASSIC")]:
        f = File(name + ".nc", format).time(t, "days since 2001-01-01", "noleap", b, unlimited=format != "NETCDF4_CLASSIC")
        good(f"{format}, noleap, noon with bounds", f.field(rain(4), attrs=MM).close(), says=["noleap", "no gap", "cell-centred", "2001-03-01"])
    f = File("nc4-deflate.nc", "NETCDF4").time(t, "days since 2001-01-01", "365_day", b)
    good("NetCDF-4, deflate and shuffle, chunks of two days", f.field(rain(4), attrs=MM, zlib=True, shuffle=True, chunksizes=(2, 6, 12)).close())
    f = File("nc4-fletcher-big.nc", "NETCDF4").time(t, "days since 2001-01-01", "noleap", b, unlimited=False)
    good("NetCDF-4, checksums, big-endian, chunks across the map", f.field(rain(4), attrs=MM, endian="big", fletcher32=True, chunksizes=(4, 3, 5)).close())
    f = File("contiguous-double.nc", "NETCDF4").time(t, "days since 2001-01-01", "noleap", b, unlimited=False)
    good("NetCDF-4, contiguous, double precision", f.field(rain(4), attrs=MM, kind="f8", contiguous=True).close())


def packings():
    t, b = days(3)
    at = ("days since 2010-06-01", "standard", b)
    values = rain(3)
    scale = values.max() / 65000
    f = File("packed-short.nc").time(t, *at)
    f.field(values, kind="i2", fill=-32767, attrs={"scale_factor": scale, "add_offset": scale * 32500, "missing_value": np.int16(-32767), **MM})
    good("short with scale, offset and fill value", f.close(), says=["packed"])
    f = File("packed-float-scale.nc", "NETCDF4").time(t, *at, unlimited=False)
    f.field(values, kind="i2", fill=-32767, attrs={"scale_factor": np.float32(scale), "add_offset": np.float32(scale * 32500), **MM}, zlib=True)
    good("short with scale and offset in single precision", f.close())
    f = File("packed-int.nc").time(t, *at)
    good("int with scale only", f.field(values, kind="i4", attrs={"scale_factor": 1e-6, **MM}).close())
    f = File("packed-ushort.nc", "NETCDF4").time(t, *at, unlimited=False)
    good("unsigned short", f.field(values, kind="u2", fill=65535, attrs={"scale_factor": scale, **MM}).close())
    f = File("packed-unsigned.nc").time(t, *at)
    codes = np.round(values / values.max() * 250).astype("u1").view("i1")
    good("bytes that are unsigned by attribute", f.field(codes, kind="i1", raw=True, attrs={"_Unsigned": "true", "scale_factor": values.max() / 250, **MM}).close())
    f = File("packing-noise.nc").time(t, *at)
    noise = values.copy()
    noise[0, 2, 3] = -0.02
    noise[1, :, 0] = -1e-5
    good("values slightly below zero", f.field(noise, attrs=MM).close(), says=["below zero"])
    f = File("missing-mark.nc").time(t, *at)
    good("missing_value of another type, none missing", f.field(values, attrs={"missing_value": -999.0, **MM}).close())


def missing():
    t, b = days(3)
    at = ("days since 2010-06-01", "standard", b)
    land = RNG.random((6, 12)) < 0.4
    values = np.where(land, np.nan, rain(3))
    f = File("land-nan.nc").time(t, *at)
    good("cells always missing, NaN", f.field(values, attrs=MM).close(), says=[f"{land.sum()} of 72 cells"])
    f = File("land-fill.nc", "NETCDF4").time(t, *at, unlimited=False)
    f.field(np.ma.masked_invalid(values), kind="i2", fill=-1, attrs={"scale_factor": 0.01, **MM}, zlib=True)
    good("cells always missing, packed with a fill value", f.close(), says=[f"{land.sum()} of 72 cells"])
    holes = rain(5)
    holes[3, 4, 7] = np.nan
    t, b = days(5)
    f = File("hole.nc").time(t, "days since 2010-06-01", "standard", b)
    bad("a cell missing in one day", f.field(holes, attrs=MM).close(), "2010-06-04 at 45.00 N 210.00 E: a missing value")
    holes[3, 4, 7] = 1e20
    f = File("hole-undeclared.nc").time(t, "days since 2010-06-01", "standard", b)
    bad("a fill value that is not declared", f.field(holes, attrs=MM).close(), "a missing value")
    holes[3] = np.nan
    f = File("hole-day.nc").time(t, "days since 2010-06-01", "standard", b)
    bad("a day missing whole", f.field(holes, attrs=MM).close(), "as 71 other cells have")
    holes[3] = 1.0
    holes[3, 0, 0] = -0.4
    f = File("negative.nc").time(t, "days since 2010-06-01", "standard", b)
    bad("a value well below zero", f.field(holes, attrs=MM).close(), "2010-06-04 at 75.00 S 0.00 E: -4.0000e-1 mm/day, below zero")
    holes[3, 0, 0] = 9e4
    f = File("too-much.nc").time(t, "days since 2010-06-01", "standard", b)
    bad("more than ever fell", f.field(holes, attrs=MM).close(), "more than ever fell")
    holes[3, 0, 0] = np.inf
    f = File("infinite.nc").time(t, "days since 2010-06-01", "standard", b)
    bad("an infinite value", f.field(holes, attrs=MM).close(), "a missing value")


def grids():
    t, b = days(3)
    at = ("days since 1999-02-27", "standard", b)

    def case(name, about, lat=CELL, lon=LON, says=(), **options):
        f = File(name, lat=lat, lon=lon, **options).time(t, *at)
        good(about, f.field(rain(3, len(lat), len(lon)), attrs=MM).close(), says=says)

    case("north-first.nc", "rows north to south", lat=CELL[::-1], says=["north to south"])
    case("minus-180.nc", "longitudes -180..180", lon=LON - 180.0, says=["-180"])
    case("both.nc", "north first and -180..180, coordinates in single precision", lat=CELL[::-1], lon=LON - 165.0, coordinate="f4", lat_name="latitude", lon_name="longitude")
    case("cut.nc", "longitudes cut at Greenwich in the middle of the row", lon=(LON + 180.0) % 360.0)
    case("westward.nc", "longitudes from east to west", lon=LON[::-1])
    case("poles.nc", "rows at the poles", lat=POLES[::-1], says=["poles included"])
    gauss = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(8)[0]))
    case("gaussian.nc", "Gaussian rows", lat=gauss, says=["Gaussian"])
    case("gaussian-f4.nc", "Gaussian rows in single precision, north first", lat=gauss[::-1], coordinate="f4", says=["Gaussian"])
    case("uneven.nc", "rows of different height", lat=np.array([-80.0, -50.0, -10.0, 0.0, 10.0, 50.0, 80.0]), says=["unequal rows"])
    f = File("bounds-lat.nc").time(t, *at)
    f.set["lat"].bounds = "lat_bnds"
    edges = np.array([-90.0, -62.0, -31.0, 0.0, 31.0, 62.0, 90.0])
    v = f.set.createVariable("lat_bnds", "f8", ("lat", "bnds"))
    v[:] = np.stack([edges[:-1], edges[1:]], 1)
    good("rows with bounds of their own", f.field(rain(3), attrs=MM).close(), says=["edges of the rows"])
    f = File("nlat.nc", lat_name="nlat", lon_name="nlon").time(t, *at)
    for old, new in [("nlat", "lat"), ("nlon", "lon")]:
        f.set.renameVariable(old, new)
    f.field(rain(3), attrs=MM)
    f.set.close()
    good("dimensions named otherwise than their coordinates", "nlat.nc", pick=lambda da: da.rename(nlat="lat", nlon="lon").assign_coords(lat=CELL, lon=LON).assign_coords(lat=("lat", CELL, {"units": "degrees_north"}), lon=("lon", LON, {"units": "degrees_east"})))
    f = File("repeated.nc", lon=np.arange(13) * 30.0).time(t, *at)
    values = rain(3, 6, 13)
    values[:, :, 12] = values[:, :, 0]
    good("the first column again at the end", f.field(values, attrs=MM).close(), pick=lambda da: da.isel(lon=slice(0, 12)), says=["repeats the first"])

    def refused(name, about, error, lat=CELL, lon=LON):
        f = File(name, lat=lat, lon=lon).time(t, *at)
        bad(about, f.field(rain(3, len(lat), len(lon)), attrs=MM).close(), error)

    refused("band.nc", "latitudes 50S-50N", "rows reach from -45 to 45", lat=np.linspace(-45, 45, 7))
    refused("half.nc", "half of the longitudes", "do not go around the globe", lon=LON / 2.0)
    refused("jump.nc", "longitudes with a jump", "not equally spaced", lon=np.where(LON > 100.0, LON + 7.0, LON))
    f = File("level.nc").time(t, *at)
    f.set.createDimension("level", 3)
    bad("three levels", f.field(rain(9).reshape(3, 3, 6, 12), dims=("time", "level", "lat", "lon"), attrs=MM).close(), "dimension level with 3 entries")
    path = HERE / "curvilinear.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as ds:
        for d, n in [("time", 3), ("y", 4), ("x", 5)]:
            ds.createDimension(d, n)
        v = ds.createVariable("time", "f8", ("time",))
        v.units = "days since 2000-01-01"
        v[:] = t
        for name, units in [("lat", "degrees_north"), ("lon", "degrees_east")]:
            v = ds.createVariable(name, "f8", ("y", "x"))
            v.units = units
            v[:] = 0
        v = ds.createVariable("pr", "f4", ("time", "y", "x"))
        v.units = "mm/day"
        v[:] = 1
    bad("a curvilinear grid", path.name, "does not stand on a latitude-longitude grid")
    path = HERE / "reduced.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as ds:
        ds.createDimension("time", 3)
        ds.createDimension("values", 50)
        v = ds.createVariable("tp", "f4", ("time", "values"))
        v.units = "m"
        v[:] = 0.001
    bad("a reduced Gaussian grid", path.name, "does not stand on a latitude-longitude grid")


def calendars():
    def case(name, about, first, units, calendar, n=4, says=(), **options):
        t, b = days(n, first)
        f = File(name).time(t, units, calendar, b, **options)
        good(about, f.field(rain(n), attrs=MM).close(), says=says)

    case("cal-360.nc", "360_day, across 30 February", 57.0, "days since 1850-01-01", "360_day", says=["360_day"])
    case("cal-proleptic.nc", "proleptic_gregorian, far in the future", 700000.0, "days since 0001-01-01", "proleptic_gregorian")
    case("cal-gregorian.nc", "gregorian, 29 February 2000", 57.0, "days since 2000-01-01", "gregorian", n=5)
    case("cal-1900.nc", "standard, 1900 has no 29 February", 57.0, "days since 1900-01-01", "standard")
    case("cal-none.nc", "no calendar said", 57.0, "days since 2004-01-01 00:00:00.0", None)
    t, b = days(3, 711128.0)
    f = File("cal-mixed.nc").time(t * 24, "hours since 1-1-1 00:00:0.0", "standard", b * 24)
    good("hours since the year 1 of the mixed calendar", f.field(rain(3), attrs=MM).close(), says=["1948-01-01"])
    t, b = days(3)
    f = File("sec-zone.nc").time(t * 86400, "seconds since 2020-02-28T01:00:00+01:00", "proleptic_gregorian", b * 86400)
    good("seconds, with a time zone", f.field(rain(3), attrs=MM).close(), says=["2020-02-28"])
    f = File("minutes-int.nc").time((t * 1440).astype("i4"), "minutes since 2020-12-30", "standard", b * 1440, kind="i4")
    good("minutes as integers", f.field(rain(3), attrs=MM).close())
    f = File("time-f4.nc").time(t + 54321, "days since 1850-01-01", "standard", kind="f4")
    good("days in single precision, no bounds, at noon", f.field(rain(3), attrs=MM).close())
    for name, units, calendar, error in [
        ("cal-julian.nc", "days since 2000-01-01", "julian", "its calendar is julian"),
        ("cal-all-leap.nc", "days since 2000-01-01", "all_leap", "its calendar is all_leap"),
        ("months.nc", "months since 2000-01-01", "standard", "no fixed length"),
        ("no-reference.nc", "days", "standard", "not for instance"),
        ("early.nc", "days since 1582-10-01", "standard", "before 1582-10-15"),
    ]:
        f = File(name).time(t, units, calendar)
        bad(f"{calendar}, {units}", f.field(rain(3), attrs=MM).close(), error)
    f = File("time-nan.nc").time(np.array([0.5, np.nan, 2.5]), "days since 2000-01-01")
    bad("a time that is no number", f.field(rain(3), attrs=MM).close(), "is no date")
    f = File("time-unitless.nc").time(t, "")
    f.set["time"].delncattr("units")
    bad("times without a unit", f.field(rain(3), attrs=MM).close(), "has no units")
    f = File("zero.nc").time(np.zeros(0), "days since 2000-01-01")
    bad("zero-length time", f.field(np.zeros((0, 6, 12)), attrs=MM).close(), "length zero")
    f = File("climatology.nc").time(t, "days since 2000-01-01")
    f.set["time"].climatology = "climatology_bounds"
    bad("a climatology", f.field(rain(3), attrs=MM).close(), "those of a climatology")
    f = File("monthly.nc").time(np.array([15.0, 45.0, 75.0, 105.0]), "days since 2000-01-01", "360_day")
    bad("monthly means", f.field(rain(4), attrs=MM).close(), "monthly values; daily or finer")
    f = File("pentads.nc").time(np.arange(4) * 5.0, "days since 2000-01-01", "noleap")
    bad("five-day means", f.field(rain(4), attrs=MM).close(), "one value in 5.0 days")
    f = File("five-hours.nc").time(np.arange(9) * 5.0, "hours since 2000-01-01", "noleap")
    bad("every five hours", f.field(rain(9), attrs=MM).close(), "does not divide a day")


def era5():
    hours = 1 + np.arange(48) + 1043136  # 2019-01-01 01:00 on, in hours since 1900
    hourly = rain(48, 5, 8) / 24000.0
    options = dict(lat=np.linspace(90.0, -90.0, 5), lon=np.arange(8) * 45.0, lat_name="latitude", lon_name="longitude", coordinate="f4")
    scale = hourly.max() / 65530
    pack = {"scale_factor": scale, "add_offset": scale * 32765, "missing_value": np.int16(-32767), "units": "m", "long_name": "Total precipitation"}
    f = File("era5-old.nc", **options).time(hours, "hours since 1900-01-01 00:00:00.0", "gregorian", kind="i4")
    f.field(hourly, "tp", kind="i2", fill=-32767, attrs=pack)
    good("ERA5 of the old store: hourly metres packed in shorts", f.close(), "tp", 24000.0, -0.5, 1.0, says=["hours 01 to 24", "2019-01-01 to 2019-01-02"])
    f = File("era5-cut.nc", **options).time(hours - 8, "hours since 1900-01-01 00:00:00.0", "gregorian", kind="i4")
    f.field(hourly, "tp", kind="i2", fill=-32767, attrs=pack)
    good("ERA5 that begins within a day", f.close(), "tp", 24000.0, -0.5, 1.0, says=["2018-12-31: 8 of 24 times"])
    f = File("era5-new.nc", "NETCDF4", **options).time((hours[:24] - 613608) * 3600, "seconds since 1970-01-01", "proleptic_gregorian", kind="i8", name="valid_time", unlimited=False)
    f.set.createVariable("number", "i8", ())[:] = 0
    f.set.createVariable("expver", str, ("valid_time",))[:] = np.array(["0001"] * 24, dtype=object)
    f.field(hourly[:24], "tp", attrs={"units": "m", "GRIB_shortName": "tp", "coordinates": "number valid_time latitude longitude expver"}, fill=np.nan, zlib=True, shuffle=True, chunksizes=(10, 4, 6))
    good("ERA5 of the new store: valid_time, number, expver as variables", f.close(), "tp", 24000.0, -0.5, 1.0)
    f = File("era5-expver.nc", **options)
    f.set.createDimension("expver", 2)
    v = f.set.createVariable("expver", "i4", ("expver",))
    v[:] = [1, 5]
    f.time(hours[:24], "hours since 1900-01-01 00:00:00.0", "gregorian", kind="i4")
    both = np.full((24, 2, 5, 8), np.nan)
    both[:14, 0] = hourly[:14]
    both[14:, 1] = hourly[14:24]
    f.field(np.ma.masked_invalid(both), "tp", dims=("time", "expver", "lat", "lon"), kind="i2", fill=-32767, attrs=pack)
    good("ERA5 and ERA5T side by side", f.close(), "tp", 24000.0, -0.5, 1.0, pick=lambda da: da.isel(expver=0).combine_first(da.isel(expver=1)), says=["expver"])
    f = File("era5-members.nc", "NETCDF4", **{**options, "lat": [45.0, -45.0], "lon": np.arange(4) * 90.0})
    f.set.createDimension("number", 3)
    f.set.createVariable("number", "i4", ("number",))[:] = [0, 1, 2]
    f.time(hours[:24], "hours since 1900-01-01", "gregorian", kind="i4", unlimited=False)
    f.field(RNG.gamma(0.5, 8.0, (24, 3, 2, 4)) / 24000.0, "tp", dims=("time", "number", "lat", "lon"), attrs={"units": "m"}, zlib=True)
    good("an ensemble of three", f.close(), "tp", 24000.0, -0.5, 1.0, ["member"], {"member": 2}, pick=lambda da: da.isel(number=2), says=["index 2 of 3"])
    bad("a member that is not there", "era5-members.nc", "it has 3 members", {"member": 3})
    f = File("era5-rate.nc", **options).time(hours[:24], "hours since 1900-01-01", "gregorian", kind="i4")
    f.field(hourly[:24] / 3.6, "mtpr", attrs={"units": "kg m**-2 s**-1"})
    good("ERA5's hourly mean rate", f.close(), "mtpr", 86400.0, -0.5, 1.0)
    daily = rain(3, 5, 8) / 1000.0
    f = File("tp-daily.nc", **options).time(np.arange(3), "days since 2019-01-01", "proleptic_gregorian", kind="i4")
    f.field(daily, "tp", attrs={"units": "m"})
    good("daily metres, stamps at 00 UTC begin the day", f.close(), "tp", 1000.0, 12.0, 24.0, ["stamp"], {"stamp": "begin"})
    good("daily metres, stamps at 00 UTC end the day", "tp-daily.nc", "tp", 1000.0, -12.0, 24.0, ["stamp"], {"stamp": "end"})
    f = File("tp-daily-mean.nc", **options).time(np.arange(3) + 0.5, "days since 2019-01-01")
    f.field(daily / 24, "tp", attrs={"units": "m"})
    good("daily means of hourly metres", f.close(), "tp", 24000.0, 0.0, 24.0, ["accumulated"], {"accumulated": "hour"}, says=["1 h"])
    six = hourly[::6][:8]
    f = File("tp-six.nc", **options).time(np.arange(1, 9) * 6, "hours since 2019-01-01", kind="i4")
    f.field(six * 6, "tp", attrs={"units": "m"})
    good("metres of six hours", f.close(), "tp", 4000.0, -3.0, 6.0, ["stamp", "accumulated"], {"stamp": "end", "accumulated": "step"})
    f = File("tp-nounit.nc", **options).time(hours[:24], "hours since 1900-01-01", kind="i4")
    f.field(hourly[:24], "tp")
    good("hourly tp without a unit", f.close(), "tp", 24000.0, -0.5, 1.0, ["units"], {"units": "m"})
    f = File("hours-missing.nc", **options).time(hours[:20], "hours since 1900-01-01", kind="i4")
    f.field(hourly[:20], "tp", attrs={"units": "m"})
    bad("no whole day", f.close(), "no whole day: at most 20 of 24")


def units():
    t, b = days(3)
    at = ("days since 2010-06-01", "noleap", b)
    for name, variable, unit, factor, standard in [
        ("flux.nc", "pr", "kg m-2 s-1", 86400.0, "precipitation_flux"),
        ("lwe.nc", "lwe_precipitation_rate", "m s-1", 86.4e6, "lwe_precipitation_rate"),
        ("lwe-odd-name.nc", "var142", "mm s-1", 86400.0, "lwe_precipitation_rate"),
        ("cpc.nc", "precip", "mm", 1.0, ""),
        ("inch.nc", "prcp", "in/day", 25.4, ""),
        ("kgday.nc", "rainfall", "kg m^-2 day^-1", 1.0, "rainfall_flux"),
    ]:
        f = File(name).time(t, *at)
        f.field(rain(3) / factor, variable, attrs={"units": unit, **({"standard_name": standard} if standard else {})}, kind="f8")
        good(f"{variable} in {unit}", f.close(), variable, factor)
    f = File("no-unit.nc").time(t, *at)
    good("no unit", f.field(rain(3)).close(), "pr", 1.0, questions=["units"], choices={"units": "mm/day"})
    f = File("no-unit-flux.nc").time(t, *at)
    good("no unit, a flux", f.field(rain(3) / 86400.0).close(), "pr", 86400.0, questions=["units"], choices={"guess": True}, says=["guessed"])
    f = File("odd-unit.nc").time(t, *at)
    good("a unit that is not known", f.field(rain(3), attrs={"units": "furlong/fortnight"}).close(), questions=["units"], choices={"units": "mm day-1"})
    f = File("two.nc").time(t, *at)
    f.field(rain(3), "rain", attrs=MM).field(rain(3), "precip", attrs=MM).field(rain(3), "t2m", attrs={"units": "K"})
    good("two that may be meant", f.close(), "rain", questions=["variable"], choices={"variable": "rain"})
    f = File("unnamed.nc").time(t, *at)
    good("none that is named as precipitation is", f.field(rain(3), "field", attrs=MM).close(), "field", questions=["variable"], choices={"variable": "field"})
    f = File("with-parts.nc").time(t, *at)
    f.field(rain(3), "prc", attrs={"units": "mm/day", "standard_name": "convective_precipitation_flux"}).field(rain(3), "pr", attrs=MM)
    good("total beside convective precipitation", f.close())
    bad("a variable that is not there", "two.nc", "it has no variable named pr; it has: lat, lon", {"variable": "pr"})
    bad("a unit that is none", "no-unit.nc", "is not one of precipitation", {"units": "K"})


def orders():
    t, b = days(4)
    at = ("days since 2010-06-01", "noleap", b)
    f = File("lat-lon-time.nc").time(t, *at, unlimited=False)
    good("time last", f.field(rain(4).transpose(1, 2, 0), dims=("lat", "lon", "time"), attrs=MM).close())
    f = File("time-lon-lat.nc", "NETCDF4").time(t, *at, unlimited=False)
    good("columns before rows", f.field(rain(4).transpose(0, 2, 1), dims=("time", "lon", "lat"), attrs=MM, zlib=True).close())
    f = File("size-one.nc").time(t, *at)
    f.set.createDimension("member", 1)
    f.set.createDimension("height", 1)
    good("dimensions of length one", f.field(rain(4)[:, None, None], dims=("time", "member", "height", "lat", "lon"), attrs=MM).close())
    order = [2, 0, 3, 1]
    f = File("unsorted.nc").time(t[order], "days since 2010-06-01", "noleap", b[order])
    good("days out of order", f.field(rain(4), attrs=MM).close(), says=["put in order"])
    f = File("gap.nc").time(np.array([0.5, 1.5, 5.5, 6.5]), "days since 2010-06-01", "noleap")
    good("a gap", f.field(rain(4), attrs=MM).close(), says=["1 gap (from 2010-06-02 to 2010-06-06)"])
    values = rain(4)
    values[2] = values[1]
    f = File("twice.nc").time(np.array([0.5, 1.5, 1.5, 2.5]), "days since 2010-06-01", "noleap")
    good("a day twice, equal", f.field(values, attrs=MM).close(), says=["equal values (the first is used): 1"])
    values[2, 5, 11] += 1.0
    f = File("twice-different.nc").time(np.array([0.5, 1.5, 1.5, 2.5]), "days since 2010-06-01", "noleap")
    bad("a day twice, different", f.field(values, attrs=MM).close(), "2010-06-02 at 75.00 N 330.00 E: two different values")
    f = File("three-hours.nc").time(np.arange(16) * 3.0 + 1.5, "hours since 2010-06-01", "noleap", np.stack([np.arange(16) * 3.0, np.arange(16) * 3.0 + 3], 1))
    good("three-hourly rates with bounds", f.field(rain(16), attrs=MM).close(), step=3.0)
    f = File("six-hours.nc").time(np.arange(8) * 6.0, "hours since 2010-06-01", "noleap")
    good("six-hourly rates, stamps begin the interval", f.field(rain(8), attrs=MM).close(), shift=3.0, step=6.0, questions=["stamp"], choices={"stamp": "begin"})
    good("six-hourly rates, stamps end the interval", "six-hours.nc", shift=-3.0, step=6.0, questions=["stamp"], choices={"stamp": "end"})
    f = File("midnight.nc").time(np.arange(3.0), "days since 2010-06-01", "noleap")
    good("daily rates, stamps at 00 UTC", f.field(rain(3), attrs=MM).close(), shift=12.0, questions=["stamp"], choices={"stamp": "begin"})
    f = File("mixed-stamps.nc").time(np.array([0.0, 1.0, 2.0, 3.5]), "days since 2010-06-01", "noleap")
    bad("stamps at different times of the day", f.field(rain(4), attrs=MM).close(), "some of its stamps")


def several():
    values = rain(8)
    names = []
    for k, (a, z) in enumerate([(3, 6), (0, 4), (6, 8)]):
        t, b = days(z - a, a)
        f = File(f"part{k}.nc").time(t, "days since 2010-06-01", "noleap", b)
        names.append(f.field(values[a:z], attrs=MM).close())
    good("three files that overlap, in any order", names, says=["files        3", "put in order", "equal values (the first is used): 1"])
    t, b = days(4, 20)
    f = File("turned.nc", lat=CELL[::-1], lon=LON - 180.0).time((t - 5.0) * 24, "hours since 2010-06-06", "noleap", (b - 5.0) * 24)
    f.field(rain(4) / 86400.0, attrs={"units": "kg m-2 s-1"})
    f.close()
    turned = read(["turned.nc"], "pr", 86400.0)
    first = read(["part1.nc"], "pr", 1.0)
    order = [(i + 6) % 12 for i in range(12)]
    moved = [[v[12 * j + order[i]] for j in range(6) for i in range(12)] for v in turned["values"]]
    CASES.append({"about": "files of different unit, time unit, order of rows and first column", "files": ["part1.nc", "turned.nc"], "choices": {}, "questions": [], "says": ["1 gap"], "expected": {**first, "dates": first["dates"] + turned["dates"], "values": first["values"] + moved}})
    singles = []
    for k in range(2):
        f = File(f"single{k}.nc")
        v = f.set.createVariable("time", "f8", ())
        v.units, v.calendar = "days since 2010-06-01", "noleap"
        v[:] = k + 0.5
        singles.append(f.field(values[k], dims=("lat", "lon"), attrs=MM).close())
    good("a file a day, time as a scalar", singles)
    t, b = days(3, 30)
    f = File("other-calendar.nc").time(t, "days since 2010-06-01", "360_day", b)
    bad("files of two calendars", ["part0.nc", f.field(rain(3), attrs=MM).close()], "its calendar is 360_day")
    f = File("other-grid.nc", lat=POLES).time(t, "days since 2010-06-01", "noleap", b)
    bad("files of two grids", ["part0.nc", f.field(rain(3, 7), attrs=MM).close()], "its grid differs")
    bad("files of two steps", ["part0.nc", "three-hours.nc"], "hours apart")
    f = File("no-rain.nc").time(t, "days since 2010-06-01", "noleap", b)
    bad("a file without the variable", ["part0.nc", f.field(rain(3), "t2m", attrs={"units": "K"}).close()], "no variable named pr")


def damage():
    for name, source, keep in [("cut-classic.nc", "cdf1.nc", 0.8), ("cut-header.nc", "cdf1.nc", 0.1), ("cut-nc4.nc", "nc4-deflate.nc", 0.7)]:
        data = (HERE / source).read_bytes()
        (HERE / name).write_bytes(data[: int(len(data) * keep)])
        bad(f"{source} cut short", name, "truncated or damaged")
    (HERE / "empty.nc").write_bytes(b"")
    bad("an empty file", "empty.nc", "the file is empty")
    (HERE / "text.nc").write_text("this is not a NetCDF file\n")
    bad("a text file", "text.nc", "it is not NetCDF")
    (HERE / "grib.nc").write_bytes(b"GRIB" + bytes(60))
    bad("GRIB", "grib.nc", "it is GRIB")
    bad("a file that is not there", "nowhere.nc", "there is no such file")
    with netCDF4.Dataset(HERE / "bare.nc", "w", format="NETCDF3_CLASSIC") as ds:
        ds.title = "nothing in it"
    bad("a file without variables", "bare.nc", "it has no variables")


if __name__ == "__main__":
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    for make in (formats, packings, missing, grids, calendars, era5, units, orders, several, damage):
        make()
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), ensure_ascii=False) for c in CASES)
    (HERE / "expected.json").write_text("[\n" + lines + "\n]\n")
    size = sum(p.stat().st_size for p in HERE.iterdir())
    print(len(CASES), "cases,", len(list(HERE.iterdir())), "files,", size // 1024, "kB")
