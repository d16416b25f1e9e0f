//! Axes: where numbers are in a picture, and which of them are written beside it.

/// A range of numbers, and the places in the picture of its ends.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
    logarithmic: bool,
}

impl Axis {
    /// Returns an axis on which equal distances are equal differences; it begins at 0.
    pub(crate) fn linear(to: f64, start: f64, end: f64) -> Self {
        // A run in which nothing came has a height, too.
        let to = if to > 0.0 { to } else { 1.0 };
        Self { from: 0.0, to, start, end, logarithmic: false }
    }

    /// Returns an axis on which equal distances are equal factors; both ends are above 0.
    pub(crate) fn logarithmic(from: f64, to: f64, start: f64, end: f64) -> Self {
        Self { from, to, start, end, logarithmic: true }
    }

    /// Returns the place of a number; that of an end for one that is behind it.
    pub(crate) fn place(&self, number: f64) -> f64 {
        let number = number.clamp(self.from, self.to);
        let part = match self.logarithmic {
            true => (number / self.from).ln() / (self.to / self.from).ln(),
            false => (number - self.from) / (self.to - self.from),
        };
        self.start + part * (self.end - self.start)
    }

    /// Returns some six round numbers within the range.
    pub(crate) fn marks(&self) -> Vec<f64> {
        if self.logarithmic {
            return self.factors();
        }
        let rough = (self.to - self.from) / 6.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|one| one * power);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let count = (self.to / step + 1e-9).floor() as u32;
        (0..=count).map(|number| f64::from(number) * step).collect()
    }

    /// Returns 1, 2 and 5 times the powers of 10, or these powers alone if there are many.
    fn factors(&self) -> Vec<f64> {
        let decades = (self.to / self.from).log10();
        let digits: &[f64] = if decades > 4.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let powers = self.from.log10().floor() as i32..=self.to.log10().ceil() as i32;
        let all = powers.flat_map(|power| digits.iter().map(move |one| one * 10_f64.powi(power)));
        // Rounding must not lose an end that is a mark.
        all.filter(|mark| *mark >= self.from * 0.999_999 && *mark <= self.to * 1.000_001).collect()
    }
}

/// Returns a number with the letter of a power of 1000: `1.5 M`.
pub(crate) fn short(number: f64) -> String {
    let (number, letter) = match number {
        number if number >= 1e9 => (number / 1e9, " G"),
        number if number >= 1e6 => (number / 1e6, " M"),
        number if number >= 1e4 => (number / 1e3, " k"),
        number => (number, ""),
    };
    let text = format!("{number:.2}");
    format!("{}{letter}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Returns nanoseconds in a unit in which they have no more than three digits and a fraction.
pub(crate) fn time(nanoseconds: f64) -> String {
    let (number, unit) = match nanoseconds {
        time if time >= 1e9 => (time / 1e9, "s"),
        time if time >= 1e6 => (time / 1e6, "ms"),
        time if time >= 1e3 => (time / 1e3, "us"),
        time => (time, "ns"),
    };
    format!("{} {unit}", short((number * 10.0).round() / 10.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_within_the_range() {
        assert_eq!(Axis::linear(10.0, 0.0, 1.0).marks(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(Axis::linear(0.0, 0.0, 1.0).marks().last(), Some(&1.0));
        for to in [0.003, 1.0, 7.3, 99.0, 12_345.0, 14_880_952.0, 1e12] {
            let marks = Axis::linear(to, 0.0, 1.0).marks();
            assert!((3..=7).contains(&marks.len()), "{to}: {marks:?}");
            assert!(marks.iter().all(|mark| *mark <= to * 1.000_001), "{to}: {marks:?}");
        }
        assert_eq!(Axis::logarithmic(1.0, 10.0, 0.0, 1.0).marks(), [1.0, 2.0, 5.0, 10.0]);
        assert!(Axis::logarithmic(1.0, 1e9, 0.0, 1.0).marks().len() <= 10);
    }

    #[test]
    fn places_go_from_one_end_to_the_other() {
        let axis = Axis::linear(10.0, 100.0, 0.0);
        assert_eq!(
            [0.0, 5.0, 10.0, 11.0].map(|number| axis.place(number)),
            [100.0, 50.0, 0.0, 0.0]
        );
        let axis = Axis::logarithmic(1.0, 100.0, 0.0, 2.0);
        assert_eq!([1.0, 10.0, 100.0].map(|number| axis.place(number).round()), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn times_have_a_unit_that_suits_them() {
        let times = [0.0, 999.0, 1000.0, 31_170.0, 15_890_000.0, 2e9];
        let texts = ["0 ns", "999 ns", "1 us", "31.2 us", "15.9 ms", "2 s"];
        assert_eq!(times.map(time), texts);
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 0.5, 999.0, 9_999.0, 12_500.0, 1_500_000.0, 2e9];
        let texts = ["0", "0.5", "999", "9999", "12.5 k", "1.5 M", "2 G"];
        assert_eq!(numbers.map(short), texts);
    }
}
