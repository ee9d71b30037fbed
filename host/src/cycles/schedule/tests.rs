use super::*;
use anyhow::bail;
use std::sync::atomic::{AtomicU32, Ordering};

/// Not due by itself while a test lasts.
const JOB: JobName = JobName::Rebalance;

/// Starts the job, which does `run`, told how many runs there were before. It goes on as long as what is
/// returned.
fn start(run: fn(u32) -> anyhow::Result<String>) -> (Arc<Jobs>, watch::Sender<Arc<Config>>) {
    start_by(Clock::for_network("bitcoin").expect("the wall clock"), run)
}

fn start_by(clock: Clock, run: fn(u32) -> anyhow::Result<String>) -> (Arc<Jobs>, watch::Sender<Arc<Config>>) {
    let jobs = Arc::new(Jobs::default());
    let settings = watch::Sender::new(Arc::new(Config::default()));
    let runs = AtomicU32::new(0);
    let run = move |_: Trigger| {
        let before = runs.fetch_add(1, Ordering::Relaxed);
        async move { run(before) }
    };
    tokio::spawn(run_job(JOB, jobs.clone(), clock, settings.subscribe(), CancellationToken::new(), run));
    (jobs, settings)
}

/// Wakes the job, and gives its status after that run.
async fn woken_once(jobs: &Jobs) -> JobStatus {
    let before = jobs.status(JOB).runs;
    jobs.wake(JOB);
    tokio::time::timeout(Duration::from_secs(120), async {
        while jobs.status(JOB).runs == before {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        jobs.status(JOB)
    })
    .await
    .expect("the job runs")
}

/// Seconds from the end of the last run to the next.
fn pause(status: &JobStatus) -> u64 {
    status.next.zip(status.last_ended).map_or(0, |(next, ended)| next.since(ended))
}

#[tokio::test]
async fn a_panic_is_a_failure_and_the_job_goes_on() {
    let (jobs, _settings) = start(|before| match before {
        0 => panic!("on purpose"),
        _ => Ok("well".to_owned()),
    });
    let failed = woken_once(&jobs).await;
    assert_eq!((failed.running, failed.failures), (false, 1));
    let why = failed.last_outcome.expect("it ran").expect_err("it panicked");
    assert!(why.contains("panicked") && why.contains("on purpose"), "{why}");
    assert_eq!(woken_once(&jobs).await.last_outcome, Some(Ok("well".to_owned())));
}

#[tokio::test]
async fn a_woken_run_that_fails_is_tried_again_soon() {
    let (jobs, _settings) = start(|before| if before < 2 { bail!("not yet") } else { Ok(String::new()) });
    let first = woken_once(&jobs).await;
    assert!(pause(&first) <= RETRY_S, "{first:?}");
    // Neither another failure nor a good run for something else puts it off.
    for _ in 0..2 {
        let later = woken_once(&jobs).await;
        assert_eq!(later.next, first.next, "{later:?}");
    }
}

#[test]
fn a_run_under_way_names_no_next_one() {
    let jobs = Jobs::default();
    jobs.status_mut(JOB).next = Some(UnixTime(1_000));
    jobs.started(JOB, UnixTime(1_000));
    assert_eq!((jobs.status(JOB).running, jobs.status(JOB).next), (true, None));
    jobs.ended(JOB, UnixTime(1_010), UnixTime(1_900), Ok(String::new()));
    assert_eq!((jobs.status(JOB).running, jobs.status(JOB).next), (false, Some(UnixTime(1_900))));
}

#[tokio::test]
async fn timers_go_on_after_the_clock_was_set_back() {
    let file = std::env::temp_dir().join(format!("revops-timers-{}", std::process::id()));
    let (jobs, _settings) = start_by(Clock::set_by(file.clone()), |_| Ok(String::new()));
    let start = woken_once(&jobs).await.next.expect("it waits");
    std::fs::write(&file, format!("-{}", 10 * UnixTime::DAY * 1_000)).expect("written");
    let woken = woken_once(&jobs).await;
    assert!(woken.last_ended.is_some_and(|ended| start.since(ended) > 5 * UnixTime::DAY), "{woken:?}");
    let most = longest_pause(JOB, &Config::default());
    tokio::time::timeout(Duration::from_secs(120), async {
        while pause(&jobs.status(JOB)) > most {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the next run is no further away than ever");
    std::fs::remove_file(&file).expect("removed");
}

#[test]
fn intervals_vary_by_a_tenth() {
    for (share, expect) in [(0.0, 90), (0.5, 100), (1.0, 110)] {
        assert_eq!(varied(100, share), expect);
    }
    assert_eq!(varied(1, 0.0), 1, "never none at all");
    let config = Config::default();
    for job in JobName::ALL {
        assert!(longest_pause(job, &config) >= job.first_delay().max(job.interval(&config)), "{job:?}");
    }
}
