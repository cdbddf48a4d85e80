//! CPU time out of /proc: of a server with all its processes, and of the whole machine.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Length of the unit in which /proc counts CPU time: `USER_HZ` is 100 wherever Debian runs.
const TICK: Duration = Duration::from_millis(10);

/// What /proc/PID/stat says about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// Its own user and system time, in ticks.
    own_ticks: u64,
    /// That of its children that have ended and were waited for.
    ended_children_ticks: u64,
}

/// Reads /proc/PID/stat. The second field is the program's name in brackets, which may hold spaces and brackets itself.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // The fields are counted from 1 in proc(5), and the first one here is the third.
    let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(4 - 3)?.parse().ok()?,
        own_ticks: ticks(14)? + ticks(15)?,
        ended_children_ticks: ticks(16)? + ticks(17)?,
    })
}

/// Busy time of all cores out of the first line of /proc/stat, in ticks: user, nice, system, irq, softirq. Waiting is
/// no work, and time stolen by a hypervisor is not ours.
fn parse_machine(text: &str) -> Option<u64> {
    let mut fields = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let mut next = || fields.next()?.parse::<u64>().ok();
    let (user, nice, system, _idle, _waiting) = (next()?, next()?, next()?, next()?, next()?);
    Some(user + nice + system + next()? + next()?)
}

fn duration(ticks: u64) -> Duration {
    TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
}

/// CPU time that the machine has spent since it was started, all cores together.
pub(crate) fn machine_cpu() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    parse_machine(&text).map(duration).context("/proc/stat has another form")
}

/// A process and its children.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family {
    head: u32,
}

impl Family {
    /// The family of the process that started this one.
    pub(crate) fn of_parent_of(process: u32) -> Result<Self> {
        let stat = stat(process).with_context(|| format!("process {process} is gone"))?;
        Ok(Self { head: stat.parent })
    }

    /// CPU time of the head, of the children that it has, and of those that it had.
    pub(crate) fn cpu(self) -> Result<Duration> {
        loop {
            let head = self.head()?;
            let living: u64 =
                self.children()?.iter().map(|(_, child)| child.own_ticks + child.ended_children_ticks).sum();
            // A child that the head has taken leave of in between would be in neither sum.
            if self.head()?.ended_children_ticks == head.ended_children_ticks {
                return Ok(duration(head.own_ticks + head.ended_children_ticks + living));
            }
        }
    }

    /// The command lines of the children; empty for one that has ended and was not taken leave of yet.
    pub(crate) fn titles(self) -> Result<Vec<String>> {
        let title = |process: u32| {
            let text = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
            text.trim_end_matches('\0').replace('\0', " ")
        };
        Ok(self.children()?.into_iter().map(|(process, _)| title(process)).collect())
    }

    fn head(self) -> Result<Stat> {
        stat(self.head).with_context(|| format!("process {} is gone", self.head))
    }

    fn children(self) -> Result<Vec<(u32, Stat)>> {
        let entries = fs::read_dir("/proc").context("cannot list /proc")?;
        let processes = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let stats = processes.filter_map(|process| Some((process, stat(process)?)));
        Ok(stats.filter(|(_, stat)| stat.parent == self.head).collect())
    }
}

/// What is known about a process; nothing when it is gone.
fn stat(process: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// The fields' numbers are those of proc(5): 4 ppid, 14 utime, 15 stime, 16 cutime, 17 cstime.
    #[test]
    fn a_stat_line_is_read_by_the_fields_numbers() {
        let line = "812 (post) gres (x) S 7 5 5 0 -1 4194560 3000 900 1 2 100 20 3000 4 20 0 1 0 99 1 2 3\n";
        let stat = Stat { parent: 7, own_ticks: 120, ended_children_ticks: 3004 };
        assert_eq!(parse_stat(line), Some(stat));
        for broken in ["", "812 (postgres) S 7", "812 postgres S 7 5", "1 (x) S a 5 5 0 1 4 3 9 1 2 1 2 3 4"]
        {
            assert_eq!(parse_stat(broken), None, "{broken}");
        }
    }

    /// user 10, nice 2, system 5, idle 1000, iowait 70, irq 1, softirq 3, steal 9: work is 10 + 2 + 5 + 1 + 3.
    #[test]
    fn the_machines_work_leaves_out_waiting() {
        let text = "cpu  10 2 5 1000 70 1 3 9 0 0\ncpu0 10 2 5 1000 70 1 3 9 0 0\nintr 1\n";
        assert_eq!(parse_machine(text), Some(21));
        assert_eq!(parse_machine("cpu0 1 2 3 4 5 6 7\n"), None);
        assert_eq!(parse_machine("cpu 1 2 3\n"), None);
    }

    #[test]
    fn ticks_are_hundredths_of_a_second() {
        assert_eq!(duration(250), Duration::from_millis(2_500));
    }

    /// Work of a child counts while it lives and after it was waited for.
    #[test]
    fn a_family_keeps_what_its_dead_have_used() {
        let mut talker = Command::new("sh");
        talker.args(["-c", "echo ready; read -r answer"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = talker.spawn().unwrap();
        // `spawn` returns before the kernel has set the title; what has spoken has one.
        let mut spoken = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut spoken).unwrap();
        let family = Family::of_parent_of(child.id()).unwrap();
        assert_eq!(family.head, std::process::id());
        let titles = family.titles().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(titles.iter().any(|title| title.contains("read -r answer")), "{titles:?}");

        let before = family.cpu().unwrap();
        let loops = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        assert!(Command::new("sh").args(["-c", loops]).status().unwrap().success());
        assert!(family.cpu().unwrap() > before);
        assert!(machine_cpu().unwrap() > Duration::ZERO);
    }
}
