"""rootspan-kernel-params, by what it prints and by what the real rootspan-init makes of that."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import re
import subprocess
import unittest

from scratch import ScratchCase

KERNEL_PARAMS = os.environ["ROOTSPAN_KERNEL_PARAMS"]
VERSION = os.environ["ROOTSPAN_VERSION"]
INIT = os.environ["ROOTSPAN_INIT"]


def configuration(runtime="false", tracing="true", agent="", kernel_params=""):
    return f"""
[hypervisor.qemu]
path = "/usr/bin/qemu-system-x86_64"
kernel_params = '{kernel_params}'

[agent.kata]
enable_tracing = {tracing}
{agent}
kernel_modules = []

[runtime]
enable_tracing = {runtime}
"""


def run(*words, text=""):
    if isinstance(text, str):
        text = text.encode()
    result = subprocess.run([KERNEL_PARAMS, *words], input=text, capture_output=True, check=False)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


class Case(ScratchCase):
    def prints(self, parameters, text=None, **options):
        status, out, err = run("-", text=text or configuration(**options))
        self.assertEqual((status, out, err), (0, f"{parameters}\n" if parameters else "", ""))

    def fails(self, problem, text=None, **options):
        """One line that names the program, the file and the problem, and nothing else."""
        status, out, err = run("-", text=text or configuration(**options))
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, f"rootspan-kernel-params: standard input: {problem}\n")

    def understood(self, cmdline):
        """What rootspan-init says of its tracing when the kernel's command line is this."""
        path = self.top / "cmdline"
        path.write_text(cmdline)
        dump = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
             'mount --bind "$1" /proc/cmdline && exec "$2" --dump-config', "sh", path, INIT],
            capture_output=True, text=True, check=True)
        self.assertEqual(dump.stderr, "")
        values = dict(line.split(" = ", 1) for line in dump.stdout.splitlines() if " = " in line)
        return values["trace"], values["trace_type"]


class Settings(Case):
    def test_off(self):
        self.prints("", "[agent.kata]\n")
        self.prints("", "x = 1\n")
        self.prints("", tracing="false", runtime="true")

    def test_nothing_is_validated_while_tracing_is_off(self):
        self.prints("", tracing="false", agent='trace_mode = "foo"\ntrace_type = 5',
                    kernel_params="agent.trace=perhaps")

    def test_modes_and_types(self):
        collated = 'trace_type = "collated"'
        self.prints("rootspan.trace=static")
        self.prints("rootspan.trace=static", agent='trace_mode = ""\ntrace_type = ""')
        self.prints("rootspan.trace=static",
                    agent='trace_mode = "static"\ntrace_type = "isolated"')
        self.prints("rootspan.trace=static rootspan.trace_type=collated", runtime="true",
                    agent=collated)
        self.prints("rootspan.trace=dynamic", agent='trace_mode = "dynamic"')
        self.prints("rootspan.trace=dynamic", runtime="true",
                    agent='trace_mode = "dynamic"\ntrace_type = "isolated"')

    def test_no_hypervisor_and_two(self):
        agent = "[agent.kata]\nenable_tracing = true\n"
        self.prints("rootspan.trace=static", agent)
        self.prints("rootspan.trace=static", agent + "[hypervisor.a]\n[hypervisor.b]\n")
        self.prints("rootspan.trace=static", agent + "[hypervisor.a]\nkernel_params='agent.trace'\n"
                                                     "[hypervisor.b]\n")

    def test_kata_messages(self):
        self.fails('agent.kata.trace_mode: invalid kata agent trace mode: "foo" '
                   '(need "dynamic" or "static")', agent='trace_mode = "foo"')
        self.fails('agent.kata.trace_type: invalid kata agent trace type: "a\\"b" '
                   '(need "isolated" or "collated")', agent="trace_type = 'a\"b'")

    def test_collated_needs(self):
        self.fails('agent.kata.trace_type: "collated" needs runtime.enable_tracing, which is false '
                   '(need true there, or "isolated" here)', agent='trace_type = "collated"')
        self.fails('agent.kata.trace_type: "collated" is not possible with trace_mode "dynamic" '
                   '(need "isolated", or trace_mode "static")', runtime="true",
                   agent='trace_mode = "dynamic"\ntrace_type = "collated"')

    def test_values_of_another_kind(self):
        self.fails('agent.kata.enable_tracing: invalid value "yes" (need true or false)',
                   tracing='"yes"')
        self.fails("agent.kata.enable_tracing: invalid value 1 (need true or false)", tracing="1")
        self.fails("agent.kata.trace_mode: invalid value false (need a string)",
                   agent="trace_mode = false")
        self.fails('agent.kata.trace_type: invalid value ["isolated"] (need a string)',
                   agent='trace_type = ["isolated"]')
        self.fails('runtime.enable_tracing: invalid value "true" (need true or false)',
                   runtime='"true"', agent='trace_type = "collated"')
        self.fails("agent.kata.enable_tracing: not possible, since what stands before kata is not "
                   "a table", "agent = 1979-05-27\n")
        agent = "[agent.kata]\nenable_tracing = true\n"
        self.fails("hypervisor: invalid value 1 (need a table)", "hypervisor = 1\n" + agent)
        self.fails("hypervisor.q.kernel_params: invalid value 1 (need a string)",
                   "hypervisor.q.kernel_params = 1\n" + agent)


class KernelParams(Case):
    """What the file passes to the guest already."""

    def test_is_not_repeated(self):
        for words in "agent.trace", "agent.trace=1", "rootspan.trace=static", "rootspan.trace=on":
            self.prints("", kernel_params=f"quiet {words} panic=1")
        self.prints("", agent='trace_mode = "dynamic"',
                    kernel_params="agent.trace agent.trace_mode=dynamic")
        self.prints("", agent='trace_type = "collated"', runtime="true",
                    kernel_params="agent.trace=collated")

    def test_is_completed(self):
        self.prints("rootspan.trace=dynamic", agent='trace_mode = "dynamic"',
                    kernel_params="agent.trace")
        self.prints("rootspan.trace=static", kernel_params="agent.trace_type=isolated")
        self.prints("rootspan.trace_type=collated", agent='trace_type = "collated"',
                    runtime="true", kernel_params="agent.trace=static")

    def test_does_not_say_something_else(self):
        self.fails('hypervisor.qemu.kernel_params: "agent.trace=0" contradicts '
                   "agent.kata.enable_tracing, which is true", kernel_params="agent.trace=0")
        self.fails('hypervisor.qemu.kernel_params: "rootspan.trace=dynamic" contradicts '
                   'agent.kata.trace_mode, which is "static"',
                   kernel_params="rootspan.trace=dynamic")
        self.fails('hypervisor.qemu.kernel_params: "rootspan.trace_type=isolated" contradicts '
                   'agent.kata.trace_type, which is "collated"', runtime="true",
                   agent='trace_type = "collated"', kernel_params="rootspan.trace_type=isolated")

    def test_last_word_wins(self):
        self.prints("", kernel_params="agent.trace=disabled agent.trace")
        self.fails('hypervisor.qemu.kernel_params: "agent.trace=off" contradicts '
                   "agent.kata.enable_tracing, which is true",
                   kernel_params="agent.trace agent.trace=off")

    def test_words_are_the_kernels(self):
        self.prints("rootspan.trace=static", kernel_params='dyndbg="file x agent.trace=0 +p"')
        self.prints("rootspan.trace=static", kernel_params="quiet -- agent.trace=0")
        self.prints("", kernel_params='agent.trace="static"')

    def test_what_would_stop_the_guest(self):
        self.fails('hypervisor.qemu.kernel_params: rootspan-init does not take "agent.trace=maybe" '
                   "(need yes, true, on, no, false, off, disabled, static, dynamic, isolated, "
                   "collated)", kernel_params="agent.trace=maybe")
        self.fails('hypervisor.qemu.kernel_params: rootspan-init does not take "agent.trace_mode" '
                   "(need static, dynamic)", kernel_params="agent.trace_mode")


class Guest(Case):
    """rootspan-init understands what was printed as the configuration means it."""

    def test_understood(self):
        cases = {("static", "isolated"): {},
                 ("static", "collated"): {"agent": 'trace_type = "collated"', "runtime": "true"},
                 ("dynamic", "isolated"): {"agent": 'trace_mode = "dynamic"'}}
        # Nothing before it, and what Kata's runtime puts there itself.
        for before in "", "agent.trace=true":
            for meaning, options in cases.items():
                with self.subTest(meaning=meaning, before=before):
                    _, out, _ = run("-", text=configuration(**options, kernel_params=before))
                    self.assertEqual(self.understood(f"{before} {out}"), meaning)

    def test_accepted_values_are_those_of_init(self):
        text = subprocess.run([INIT, "--help"], capture_output=True, text=True, check=True).stdout
        for key in "agent.trace", "agent.trace_mode", "rootspan.trace_type":
            values = re.search(rf"^  {key}=VALUE\n.*\n      VALUE: ([a-z0-9, ]+)", text,
                               re.MULTILINE).group(1)
            for value in re.split(", | or a ", values):
                if value == "number":
                    value = "1"
                _, _, err = run("-", text=configuration(kernel_params=f"{key}={value}"))
                self.assertNotIn("does not take", err)


class Files(Case):
    def test_file(self):
        path = self.top / "my.toml"
        path.write_text(configuration())
        self.assertEqual(run(path), (0, "rootspan.trace=static\n", ""))

    def test_syntax_error_has_its_line(self):
        path = self.top / "bad.toml"
        path.write_text("[runtime]\nenable_tracing = yes\n")
        self.assertEqual(run(path), (1, "", f"rootspan-kernel-params: {path}: Invalid value (at "
                                            "line 2, column 18)\n"))

    def test_what_cannot_be_read(self):
        missing = self.top / "missing.toml"
        self.assertEqual(run(missing), (1, "", f"rootspan-kernel-params: {missing}: No such file "
                                               "or directory\n"))
        for text in b"a = '\xff'\n", b"a = " + b"[" * 100_000, b"a = " + b"1" * 5000:
            status, out, err = run("-", text=text)
            self.assertEqual((status, out, err.count("\n")), (1, "", 1), err)
            self.assertIn("standard input: ", err)

    def test_default_files_in_their_order(self):
        loader = importlib.machinery.SourceFileLoader("kernel_params", KERNEL_PARAMS)
        module = importlib.util.module_from_spec(
            importlib.util.spec_from_loader("kernel_params", loader))
        loader.exec_module(module)
        self.assertEqual(module.DEFAULT_FILES,
                         ("/etc/kata-containers/configuration.toml",
                          "/usr/share/defaults/kata-containers/configuration.toml"))

        def run_default():
            with contextlib.redirect_stdout(io.StringIO()) as out, \
                 contextlib.redirect_stderr(io.StringIO()) as err:
                status = module.main([])
            return status, out.getvalue(), err.getvalue()

        first, second = self.top / "first", self.top / "second"
        module.DEFAULT_FILES = (str(first), str(second))
        self.assertEqual(run_default(), (1, "", "rootspan-kernel-params: configuration.toml: there "
                                                "is none, so FILE must be given\n"))
        second.write_text(configuration())
        self.assertEqual(run_default(), (0, "rootspan.trace=static\n", ""))
        first.write_text(configuration(tracing="false"))
        self.assertEqual(run_default(), (0, "", ""))


class Usage(Case):
    def test_help_and_version(self):
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        self.assertIn("/etc/kata-containers/configuration.toml", re.sub(r"-\n *", "-", out))
        self.assertEqual(run("--version"), (0, f"rootspan-kernel-params {VERSION}\n", ""))

    def test_usage_errors(self):
        for words in (["--nosuch"], ["a", "b"], ["--vers"]):
            self.assertEqual(run(*words)[0], 2)

    def test_man_page_has_every_option_of_help_and_no_other(self):
        options = set(re.findall(r"(?<!\S)--([a-z-]+)", run("--help")[1]))
        manual = pathlib.Path(os.environ["ROOTSPAN_KERNEL_PARAMS_MANUAL"]).read_text()
        items = " ".join(line for line in manual.splitlines() if line.startswith(".It Fl"))
        self.assertEqual(options, set(re.findall(r"(?:Fl|,) -([a-z-]+)", items)))


if __name__ == "__main__":
    unittest.main()
