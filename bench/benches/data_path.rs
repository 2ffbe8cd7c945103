//! What the profile of a migration shows: encode, decode, the scan of dirty bitmaps, the harvest, the zero test, the copy
//! into the target.
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use std::hint::black_box;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::libxc::DomainKind;
use engine::{
    Abort, GuestPage, Link, PAGE_SIZE, PageEntry, PageType, Pfn, PfnSet, RecordSink as _, StreamSink,
    WallClock,
};
use ffi::host::{GuestMemory, OwnLog, PlainMemory};
use stream::Input;
use stream::libxc::{DomainHeader, Item, Limits, Reader, Record};

/// A batch, as the engine makes them: 4 MiB.
const BATCH: u64 = engine::BATCH_PAGES as u64;
/// The pages of a 1 GiB guest.
const GIB: u64 = 1 << 18;

/// A link that keeps everything, or nothing.
struct Memory(Option<Vec<u8>>);

impl Link for Memory {
    fn send(&mut self, head: &[u8], pages: &[&[GuestPage]]) -> io::Result<()> {
        let Some(bytes) = &mut self.0 else {
            black_box((head, pages));
            return Ok(());
        };
        bytes.extend_from_slice(head);
        for page in pages.iter().copied().flatten() {
            let mut copy = [0; PAGE_SIZE];
            page.load(&mut copy);
            bytes.extend_from_slice(&copy);
        }
        Ok(())
    }
}

fn header() -> DomainHeader {
    DomainHeader { kind: DomainKind::Hvm, xen_major: 4, xen_minor: 17 }
}

fn entries() -> Vec<PageEntry> {
    (0..BATCH).map(|pfn| PageEntry { pfn: Pfn(pfn), kind: PageType::NoTab }).collect()
}

fn pages() -> Vec<GuestPage> {
    (0..BATCH).map(|_| GuestPage::from_bytes(&[7; PAGE_SIZE])).collect()
}

fn batch_bytes() -> Throughput {
    Throughput::Bytes(BATCH * PAGE_SIZE as u64)
}

/// The head of a batch: everything that the save side does for one besides the system call.
fn encode(c: &mut Criterion) {
    let (entries, pages, clock, abort) = (entries(), pages(), WallClock::start(), Abort::new());
    let mut sink = StreamSink::new(Memory(None), DomainKind::Hvm, &clock, &abort);
    sink.begin(&header()).unwrap();
    sink.record(&Record::StaticDataEnd).unwrap();
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("batch", |b| b.iter(|| sink.pages(&entries, &[&pages]).unwrap()));
}

/// A stream of one batch, read into memory that is there already.
fn decode(c: &mut Criterion) {
    let stream = stream_of_a_batch();
    let mut target = vec![0; pages().len() * PAGE_SIZE];
    let mut group = c.benchmark_group("decode");
    group.throughput(batch_bytes());
    group.bench_function("batch", |b| {
        b.iter(|| {
            let mut reader = Reader::new(Input::new(&stream[..]), Limits::default()).unwrap();
            reader.set_pfn_limit(BATCH);
            let mut entries = Vec::new();
            while !matches!(reader.next(&mut entries).unwrap(), Item::Pages) {}
            reader.data().read_exact(&mut target).unwrap();
        });
    });
}

fn stream_of_a_batch() -> Vec<u8> {
    let (entries, pages, clock, abort) = (entries(), pages(), WallClock::start(), Abort::new());
    let mut memory = Memory(Some(Vec::new()));
    let mut sink = StreamSink::new(&mut memory, DomainKind::Hvm, &clock, &abort);
    sink.begin(&header()).unwrap();
    sink.record(&Record::StaticDataEnd).unwrap();
    sink.pages(&entries, &[&pages]).unwrap();
    memory.0.unwrap()
}

/// Walking over the dirty pages of 1 GiB.
fn bitmap_scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("bitmap scan of 1 GiB");
    for every in [1, 10, 100] {
        let mut set = PfnSet::empty(GIB);
        (0..GIB).step_by(every).for_each(|pfn| assert!(set.insert(Pfn(pfn)), "a new page"));
        group.throughput(Throughput::Elements(set.len()));
        group.bench_function(format!("one in {every}"), |b| {
            b.iter(|| set.iter().map(|pfn| pfn.0).sum::<u64>())
        });
    }
}

/// The kernel's dirty bitmap of 64 MiB, taken and cleared, with one page in ten written.
fn harvest(c: &mut Criterion) {
    /// 64 MiB.
    const PAGES: u64 = 1 << 14;
    let memory = Arc::new(GuestMemory::create(PAGES).unwrap());
    let mut log = OwnLog::start(&memory).unwrap();
    let mut group = c.benchmark_group("harvest of 64 MiB");
    group.throughput(Throughput::Elements(PAGES));
    group.bench_function("one in 10", |b| {
        let dirty =
            || (0..PAGES).step_by(10).for_each(|pfn| memory.words(Pfn(pfn))[0].store(pfn, Ordering::Relaxed));
        b.iter_batched(dirty, |()| log.take().unwrap(), criterion::BatchSize::PerIteration);
    });
}

/// Whether a page is zero: the worst case, one that is.
fn zero_test(c: &mut Criterion) {
    let pages: Vec<_> = (0..BATCH).map(|_| GuestPage::from_bytes(&[0; PAGE_SIZE])).collect();
    let mut bytes = [0; PAGE_SIZE];
    let mut group = c.benchmark_group("zero test");
    group.throughput(batch_bytes());
    group.bench_function("batch of zeros", |b| {
        b.iter(|| {
            pages
                .iter()
                .filter(|page| {
                    page.load(&mut bytes);
                    bytes.iter().all(|&byte| byte == 0)
                })
                .count()
        });
    });
}

/// Copying a batch into memory of the target's kind, cold and warm.
fn restore_copy(c: &mut Criterion) {
    let batch = vec![7; pages().len() * PAGE_SIZE];
    let mut group = c.benchmark_group("restore copy");
    group.throughput(batch_bytes());
    let mut warm = PlainMemory::create(BATCH).unwrap();
    warm.populate().unwrap();
    group.bench_function("warm", |b| b.iter(|| warm.bytes_mut().copy_from_slice(&batch)));
    let new = || PlainMemory::create(BATCH).unwrap();
    group.bench_function("cold", |b| {
        b.iter_batched(
            new,
            |mut cold| {
                cold.bytes_mut().copy_from_slice(&batch);
                cold
            },
            criterion::BatchSize::PerIteration,
        );
    });
    group.bench_function("cold, populated first", |b| {
        b.iter_batched(
            new,
            |mut cold| {
                cold.populate().unwrap();
                cold.bytes_mut().copy_from_slice(&batch);
                cold
            },
            criterion::BatchSize::PerIteration,
        );
    });
}

criterion_group!(data_path, encode, decode, bitmap_scan, harvest, zero_test, restore_copy);
criterion_main!(data_path);
