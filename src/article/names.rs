//! Names in dates: months, weekdays and zones, as people's blogs and feeds write them.

use chrono_tz::Tz;

/// What a zone's name means.
pub(super) enum Zone {
    /// Minutes east of UTC.
    Minutes(i32),
    /// A place, for names that do not say whether it is summer.
    Place(Tz),
}

/// The number of a month. A name is taken whole, in any case.
pub(super) fn month(name: &str) -> Option<u32> {
    let name = name.to_lowercase();
    let at = MONTHS.iter().position(|names| names.split(' ').any(|known| known == name))?;
    u32::try_from(at + 1).ok()
}

/// Whether a word is a weekday. `marked`: a comma or a full stop follows, so that even a short foreign name is one.
pub(super) fn is_weekday(name: &str, marked: bool) -> bool {
    let name = name.to_lowercase();
    let knows = |list: &str| list.split(' ').any(|known| known == name);
    knows(WEEKDAYS) || marked && knows(SHORT_WEEKDAYS)
}

/// What an abbreviation of a zone means. Where a name has several meanings RFC 2822 decides, else nobody.
pub(super) fn zone(name: &str) -> Option<Zone> {
    let upper = name.to_ascii_uppercase();
    if upper.len() == 1 {
        // RFC 2822, 4.3: the military letters were specified wrongly and mean no more than UTC.
        return (upper != "J" && upper.as_bytes()[0].is_ascii_uppercase()).then_some(Zone::Minutes(0));
    }
    let place = match upper.as_str() {
        "AT" => Some(Tz::America__Halifax),
        "ET" => Some(Tz::America__New_York),
        "CT" => Some(Tz::America__Chicago),
        "MT" => Some(Tz::America__Denver),
        "PT" => Some(Tz::America__Los_Angeles),
        _ => None,
    };
    if let Some(place) = place {
        return Some(Zone::Place(place));
    }
    ZONES.iter().find(|(known, _)| *known == upper).map(|(_, minutes)| Zone::Minutes(*minutes))
}

/// English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Hungarian, Greek, Russian; each word in one line only.
const MONTHS: [&str; 12] = [
    "january jan januar jänner janvier janv enero ene gennaio gen janeiro januari stycznia január ιαν ιανουαρίου января янв",
    "february feb februar février fevrier févr fevr febrero febbraio fevereiro fev februari lutego február februári φεβ φεβρουαρίου февраля фев",
    "march mar märz maerz mär mars marzo março marco maart mrt marca március μάρ μαρ μαρτίου марта мар",
    "april apr avril avr abril abr aprile kwietnia április απρ απριλίου апреля апр",
    "may mai mayo maggio mag maio mei maja május máujus μάι μαι μαϊ μαΐου мая май",
    "june jun juni juin junio giugno giu junho czerwca június ιούν ιον ιουνίου июня июн",
    "july jul juli juillet juil julio luglio lug julho lipca július ιούλ ιολ ιουλίου июля июл",
    "august aug août aout agosto ago augustus sierpnia augusztus αύγ αυγ αυγούστου августа авг",
    "september sep sept septembre septiembre setiembre settembre set setembro września szeptember σεπ σεπτεμβρίου сентября сен",
    "october oct oktober okt octobre octubre ottobre ott outubro out października október οκτ οκτωβρίου октября окт",
    "november nov novembre noviembre novembro listopada νοέ νοε νοεμβρίου ноября ноя",
    "december dec dezember dez décembre decembre déc diciembre dic dicembre dezembro grudnia δεκ δεκεμβρίου декабря дек",
];

#[rustfmt::skip]
const WEEKDAYS: &str = "monday mon tuesday tues tue wednesday weds wed thursday thurs thur thu friday fri saturday sat sunday sun \
    montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag lundi mardi mercredi jeudi vendredi samedi dimanche \
    lunes martes miércoles miercoles jueves viernes sábado sabado domingo lunedì martedì mercoledì giovedì venerdì domenica \
    maandag dinsdag woensdag donderdag vrijdag zaterdag zondag";

const SHORT_WEEKDAYS: &str = "mo di mi do fr sa so lun mar mer jeu ven sam dim mié jue vie sáb dom gio ma wo vr za zo seg ter qua qui sex \
    δευ τρί τετ πέμ παρ σάβ κυρ κυρ пн вт ср чт пт сб вс";

#[rustfmt::skip]
const ZONES: &[(&str, i32)] = &[
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("WET", 0),
    ("BST", 60),
    ("WEST", 60),
    ("CET", 60),
    ("MET", 60),
    ("MEZ", 60),
    ("WAT", 60),
    ("CEST", 120),
    ("MEST", 120),
    ("MESZ", 120),
    ("METDST", 120),
    ("EET", 120),
    ("CAT", 120),
    ("SAST", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("EAT", 180),
    ("TRT", 180),
    ("MSD", 240),
    ("GST", 240),
    ("PKT", 300),
    ("ICT", 420),
    ("WIB", 420),
    ("HKT", 480),
    ("SGT", 480),
    ("PHT", 480),
    ("AWST", 480),
    ("BJT", 480),
    ("JST", 540),
    ("KST", 540),
    ("ACST", 570),
    ("AEST", 600),
    ("ACDT", 630),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
    ("NDT", -150),
    ("NST", -210),
    ("BRT", -180),
    ("ART", -180),
    ("ADT", -180),
    ("AST", -240),
    ("EDT", -240),
    ("EST", -300),
    ("CDT", -300),
    ("CST", -360),
    ("MDT", -360),
    ("MST", -420),
    ("PDT", -420),
    ("PST", -480),
    ("AKDT", -480),
    ("AKST", -540),
    ("HST", -600),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_two_months() {
        let mut seen = std::collections::BTreeSet::new();
        for name in MONTHS.iter().flat_map(|names| names.split(' ')) {
            assert!(seen.insert(name), "{name}");
        }
    }
}
