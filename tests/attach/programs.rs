//! What `Interface::programs` reports, beside what `bpftool` and `xdp-loader` do.

use crate::common::{METHODS, PATIENCE, kernel_can, kernel_since};
use crate::fixture::{Fixture, other_program};
use crate::foreign::link_of;
use crate::privileges::with_only;
use rustix::thread::{CapabilitySet, LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use xsk::attach::{AttachMethod, AttachMode, AttachedProgram, Attachment, Dispatcher, XdpMode};
use xsk::bpf::{ArrayMap, Assembler, Insn, MapData, Program, Reg, Size, XskMap};
use xsk::test_util::{privileged, test_name};
use xsk::uapi::bpf::{XDP_DROP, XDP_PASS};
use xsk::{Error, Interface};

/// Returns the only program on an interface.
#[track_caller]
fn only(interface: &Interface) -> AttachedProgram {
    let mut programs = interface.programs().unwrap();
    assert_eq!(programs.len(), 1, "{programs:?}");
    programs.remove(0)
}

/// Runs a command of another package, in the fixture's namespace. `None` if it is not here.
fn output(fixture: &Fixture, words: &[&str]) -> Option<String> {
    let start = Instant::now();
    loop {
        let output = fixture.inside(|| Command::new(words[0]).args(&words[1..]).output()).ok()?;
        let text = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return Some(text);
        }
        // A link of another test is being made: the kernel has a number for it and no more.
        let again = format!("{text}{err}").contains("Resource temporarily unavailable");
        assert!(again && start.elapsed() < PATIENCE, "{words:?}: {text}{err}");
    }
}

#[test]
fn what_is_attached_is_described() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    fixture.inside(|| {
        let interface = fixture.interface();
        assert_eq!(interface.programs().unwrap(), []);
        for method in METHODS {
            for (choice, mode) in
                [(AttachMode::Native, XdpMode::Native), (AttachMode::Generic, XdpMode::Generic)]
            {
                let (program, map) = other_program();
                let (info, id) = (program.info().unwrap(), program.id());
                let builder = Attachment::builder(interface).program(program, map);
                let attachment = builder.mode(choice).method(method).attach().unwrap();
                let found = only(interface);
                assert_eq!((found.mode, found.id, found.info.as_ref()), (mode, id, Some(&info)));
                assert_eq!((found.method, found.link), (Some(method), link_of(id)));
                assert_eq!(found.link.is_some(), method == AttachMethod::Link);
                assert_eq!(found.dispatcher, None);
                attachment.close().unwrap();
            }
        }
    });
}

#[test]
fn bpftool_says_the_same_of_a_program() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let interface = fixture.interface();
    if !kernel_can(
        test_name!(),
        output(&fixture, &["bpftool", "version"]).is_some(),
        "there is no bpftool",
    ) {
        return;
    }
    let bpftool =
        |words: &[&str]| output(&fixture, &[&["bpftool", "--json"], words].concat()).unwrap();
    for (method, mode) in
        [(AttachMethod::Link, AttachMode::Native), (AttachMethod::Netlink, AttachMode::Generic)]
    {
        let (program, map) = other_program();
        let builder = Attachment::builder(interface).program(program, map).mode(mode);
        let attachment = fixture.inside(|| builder.method(method).attach().unwrap());
        let found = only(interface);
        let info = found.info.unwrap();
        let show = bpftool(&["prog", "show", "id", &found.id.to_string()]);
        let tag: String = info.tag.iter().map(|byte| format!("{byte:02x}")).collect();
        for part in [
            format!(r#""id":{},"type":"xdp","name":"{}","tag":"{tag}""#, info.id, info.name),
            format!(r#""uid":{}"#, info.created_by),
            format!(r#""bytes_xlated":{}"#, info.instructions * 8),
            match info.machine_code {
                0 => r#""jited":false"#.to_owned(),
                bytes => format!(r#""jited":true,"bytes_jited":{bytes}"#),
            },
            format!(r#""map_ids":{:?}"#, info.map_ids),
        ] {
            assert!(show.replace(", ", ",").contains(&part), "{part}: {show}");
        }
        let loaded_at = number(&show, r#""loaded_at":"#).unwrap();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let started = since_1970 - uptime();
        let difference = (started + info.loaded_at).abs_diff(Duration::from_secs(loaded_at));
        assert!(difference < Duration::from_secs(3), "{:?}: {show}", info.loaded_at);
        let net = bpftool(&["net", "show", "dev", interface.name()]);
        assert_eq!(number(&net, r#""id":"#), Some(found.id.into()), "{net}");
        let links = bpftool(&["link", "show"]);
        let line = format!(
            r#""id":{},"type":"xdp","prog_id":{}"#,
            found.link.unwrap_or_default(),
            found.id
        );
        assert_eq!(links.contains(&line), method == AttachMethod::Link, "{links}");
        fixture.inside(|| attachment.close().unwrap());
    }
}

/// Returns the number behind `name` in JSON.
fn number(json: &str, name: &str) -> Option<u64> {
    let digits = &json[json.find(name)? + name.len()..];
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Returns the time since the machine started.
fn uptime() -> Duration {
    let text = std::fs::read_to_string("/proc/uptime").unwrap();
    Duration::from_secs_f64(text.split(' ').next().unwrap().parse().unwrap())
}

/// Returns a program that reads a value in a map of this name, as libxdp's dispatcher does with its
/// configuration.
fn reader<V: MapData>(program: &str, map: &str, value: &V) -> Program {
    let data = ArrayMap::<V>::create(map, 1).unwrap();
    data.set(0, value).unwrap();
    let mut a = Assembler::new();
    a.add(Insn::load_map_value(Reg::R1, data.as_fd(), 0));
    a.add([Insn::load(Size::Byte, Reg::R0, Reg::R1, 0), Insn::mov64_imm(Reg::R0, 2), Insn::exit()]);
    a.finish().unwrap().builder().name(program).load().unwrap()
}

/// Attaches a program that was loaded elsewhere.
fn attach(fixture: &Fixture, program: Program) -> Attachment {
    let map = XskMap::create("unused", 1).unwrap();
    let builder = Attachment::builder(fixture.interface()).program(program, map);
    fixture.inside(|| builder.attach().unwrap())
}

/// A configuration of a dispatcher with two programs: 124 bytes, and 84 of version 1.
fn configuration<const LEN: usize>(head: [u8; 4]) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes[..4].copy_from_slice(&head);
    for (at, number) in [
        (4, 1 << 31 | 1 << XDP_PASS),
        (8, 1 << 31 | 1 << XDP_DROP | 1 << XDP_PASS),
        (44, 10),
        (48, 50),
    ] {
        bytes[at..at + 4].copy_from_slice(&u32::to_ne_bytes(number));
    }
    bytes
}

#[test]
fn a_dispatcher_is_recognised_by_its_name_and_its_configuration() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let (name, map) = ("xdp_dispatcher", "xdp_disp.rodata");
    let v2 = configuration::<124>([236, 2, 2, 1]);
    let dispatchers = [
        (1, reader(name, map, &configuration::<84>([2, 0, 0, 0]))),
        (2, reader(name, map, &v2)),
        (3, reader(name, map, &configuration::<128>([236, 3, 2, 1]))),
    ];
    for (version, program) in dispatchers {
        let id = program.id();
        let attachment = attach(&fixture, program);
        let dispatcher = only(fixture.interface()).dispatcher.unwrap();
        assert_eq!(dispatcher.version, version);
        assert_eq!(dispatcher.frags, (version != 1).then_some(true));
        let components = dispatcher.components.as_ref().unwrap();
        let all: Vec<_> = components
            .iter()
            .map(|one| (one.place, one.id, one.priority, one.chain_actions.to_string()))
            .collect();
        let actions = ["XDP_PASS", "XDP_DROP,XDP_PASS"].map(str::to_owned);
        let [first, second] = actions;
        assert_eq!(all, [(0, None, 10, first), (1, None, 50, second)]);
        assert!(dispatcher.to_string().starts_with("libxdp's dispatcher with "), "{dispatcher}");
        // The error of the default program names it.
        let refused = fixture.inside(|| Attachment::builder(fixture.interface()).attach());
        let Err(Error::ForeignProgram { id: found, dispatcher: named, .. }) = &refused else {
            panic!("{refused:?}");
        };
        assert_eq!((*found, named.as_ref()), (id, Some(&dispatcher)));
        let text = refused.unwrap_err().to_string();
        assert!(text.contains(&dispatcher.to_string()), "{text}");
        fixture.inside(|| attachment.close().unwrap());
    }
    // Another name, other data, or none.
    let others = [
        reader("dispatcher", map, &v2),
        reader(name, "some_data", &v2),
        reader(name, map, &configuration::<124>([235, 2, 2, 1])),
        reader(name, map, &configuration::<124>([236, 2, 11, 1])),
        reader(name, map, &7_u64),
        Program::builder(&[Insn::mov64_imm(Reg::R0, 2), Insn::exit()]).name(name).load().unwrap(),
    ];
    for program in others {
        let attachment = attach(&fixture, program);
        assert_eq!(only(fixture.interface()).dispatcher, None);
        fixture.inside(|| attachment.close().unwrap());
    }
}

#[test]
fn without_sys_admin_only_the_number_is_known() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let (program, map) = other_program();
    let id = program.id();
    let builder = Attachment::builder(fixture.interface()).program(program, map);
    let attachment = fixture.inside(|| builder.mode(AttachMode::Generic).attach().unwrap());
    let enough = CapabilitySet::BPF | CapabilitySet::NET_ADMIN;
    for keep in [enough, CapabilitySet::empty()] {
        let found = with_only(keep, || only(fixture.interface()));
        assert_eq!((found.mode, found.id), (XdpMode::Generic, id));
        assert_eq!((found.info, found.method, found.link), (None, None, None));
        assert_eq!(found.dispatcher, None);
    }
    fixture.inside(|| attachment.close().unwrap());
}

/// A BPF file system at `/sys/fs/bpf`, in a mount namespace that goes with this value.
pub(crate) struct Pins(Child);

impl Pins {
    pub(crate) fn new() -> Self {
        // The `mount` of busybox takes the source for an image if a file here has its name, and in
        // the guests of tests/vm the tests of `bpf` have theirs.
        let script = "mount -t bpf none /sys/fs/bpf && echo ready && cat";
        let mut shell = Command::new("unshare");
        shell.args(["--mount", "sh", "-c", script]);
        let pipes = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line != "ready\n" {
            panic!("{:?}", child.wait_with_output().unwrap());
        }
        Self(child)
    }

    /// Runs `work` in a thread that sees these pins.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/proc/{}/ns/mnt", self.0.id())).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // A thread that shares its directory with others may not enter.
                #[expect(deprecated, reason = "the safe form")]
                rustix::thread::unshare(UnshareFlags::FS).unwrap();
                let kind = Some(LinkNameSpaceType::Mount);
                move_into_link_name_space(namespace.as_fd(), kind).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }

    /// Runs `xdp-loader` there, in the fixture's network namespace; returns what it prints.
    fn xdp_loader(&self, fixture: &Fixture, words: &str) -> String {
        let pid = self.0.id().to_string();
        let enter = ["nsenter", "--mount", "--target", &pid, "xdp-loader"];
        output(fixture, &enter.into_iter().chain(words.split(' ')).collect::<Vec<_>>()).unwrap()
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        // At the end of its input, `cat` ends.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The objects that Debian's libxdp and xdp-tools install.
const OBJECTS: [&str; 2] = ["xdpfilt_dny_all.o", "xdpfilt_alw_ip.o"];

#[test]
fn the_chain_of_xdp_loader_is_read() {
    if !privileged!() {
        return;
    }
    let fixture = Fixture::new(1);
    let name = fixture.interface().name();
    let directory = format!("/usr/lib/{}-linux-gnu/bpf", std::env::consts::ARCH);
    let objects = OBJECTS.map(|object| format!("{directory}/{object}"));
    let there = Command::new("xdp-loader").arg("help").output().is_ok()
        && objects.iter().all(|object| std::path::Path::new(object).exists());
    if !kernel_can(test_name!(), there, "there are no xdp-tools") {
        return;
    }
    let pins = Pins::new();
    let loader = |words: &str| pins.xdp_loader(&fixture, words);
    loader(&format!("load --mode skb --prio 50 {name} {}", objects[0]));
    let single = only(fixture.interface());
    assert_eq!((single.mode, single.method), (XdpMode::Generic, Some(AttachMethod::Netlink)));
    if single.dispatcher.is_none() {
        // libxdp has attached the program alone, and no second one can come.
        let status = loader(&format!("status {name}"));
        assert_eq!(shown(&status, name), [program_line(name, &single)], "{status}");
        loader(&format!("unload {name} --all"));
        let why = "this kernel refuses programs that replace functions (BPF_PROG_TYPE_EXT)";
        kernel_can(test_name!(), false, why);
        return;
    }
    // It is in the place of the whole dispatcher.
    let single = pins.inside(|| only(fixture.interface()));
    let status = loader(&format!("status {name}"));
    let mut expected = vec![program_line(name, &single)];
    expected.extend(component_lines(single.dispatcher.as_ref().unwrap()));
    assert_eq!((shown(&status, name), expected.len()), (expected.clone(), 2), "{status}");
    loader(&format!("load --mode skb --prio 30 --actions XDP_DROP,XDP_PASS {name} {}", objects[1]));
    // Before 5.13 only the pins say which programs there are.
    let found = pins.inside(|| only(fixture.interface()));
    let dispatcher = found.dispatcher.clone().unwrap();
    let status = loader(&format!("status {name}"));
    let mut expected = vec![program_line(name, &found)];
    expected.extend(component_lines(&dispatcher));
    assert_eq!(shown(&status, name), expected, "{status}");
    assert_eq!(expected.len(), 3);
    let components = dispatcher.components.as_ref().unwrap();
    let priorities: Vec<_> = components.iter().map(|one| one.priority).collect();
    assert_eq!(priorities, [30, 50]);
    if let Some(links) = output(&fixture, &["bpftool", "--json", "link", "show"]) {
        for component in components.iter().filter(|_| kernel_since(5, 13)) {
            let (link, program) = (component.link.unwrap(), component.id.unwrap());
            let line = format!(r#""id":{link},"type":"tracing","prog_id":{program}"#);
            assert!(links.contains(&line), "{line}: {links}");
        }
    }
    let attach = || Attachment::builder(fixture.interface()).attach();
    let refused = pins.inside(|| fixture.inside(attach));
    let text = refused.unwrap_err().to_string();
    let chain =
        "libxdp's dispatcher with xdpfilt_alw_ip (priority 30), xdpfilt_dny_all (priority 50)";
    assert!(text.contains(chain), "{text}");
    assert!(text.contains(&format!("`xdp-loader unload {name} --all`")), "{text}");
    loader(&format!("unload {name} --all"));
    assert_eq!(fixture.interface().programs().unwrap(), []);
}

/// Returns the lines of `xdp-loader status` about an interface, words and spaces only.
fn shown(status: &str, interface: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines = status.lines().map(words);
    lines.filter(|line| line.starts_with(interface) || line.starts_with("=>")).collect()
}

/// Returns the line of `xdp-loader status` for the program on an interface.
fn program_line(interface: &str, program: &AttachedProgram) -> String {
    let info = program.info.as_ref().unwrap();
    format!("{interface} {} skb {} {}", info.name, program.id, hex(info.tag))
}

/// Returns the lines of `xdp-loader status` for the programs of a chain.
fn component_lines(dispatcher: &Dispatcher) -> Vec<String> {
    let line = |one: &xsk::attach::DispatcherComponent| {
        format!(
            "=> {} {} {} {} {}",
            one.priority,
            one.name.as_ref().unwrap(),
            one.id.unwrap(),
            hex(one.tag.unwrap()),
            one.chain_actions
        )
    };
    dispatcher.components.iter().flatten().map(line).collect()
}

fn hex(tag: [u8; 8]) -> String {
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}
