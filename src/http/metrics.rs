//! The database's own metrics in Prometheus text, under the names that the server's dashboards know.

use super::prometheus::{Numbers, put_value};
use super::{HttpResponse, TEXT};
use std::fmt::Write;

/// Lines of metrics, one after the other.
#[derive(Clone, Debug, Default)]
pub struct MetricsText(String);

impl MetricsText {
    /// Writes one metric. `labels` are what stands between the braces, such as `type="indexdb"`; none where they are empty.
    pub fn put(&mut self, name: &str, labels: &str, value: f64) {
        // Writing to a string can't fail.
        let _ = match labels {
            "" => write!(self.0, "{name} "),
            _ => write!(self.0, "{name}{{{labels}}} "),
        };
        put_value(&mut self.0, value, Numbers::Plain);
        self.0.push('\n');
    }

    /// The reply.
    pub fn reply(self) -> HttpResponse {
        HttpResponse::new(200, TEXT, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_is_a_line() {
        let mut text = MetricsText::default();
        text.put("vm_rows", "type=\"storage/small\"", 3.0);
        text.put("vm_merges_put_off_total", "", 0.5);
        assert_eq!(text.reply().body, b"vm_rows{type=\"storage/small\"} 3\nvm_merges_put_off_total 0.5\n");
    }
}
