package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A process is `driftback run` as a process of its own, which can be killed and stopped.
type process struct {
	t    *testing.T
	conf string
	log  string // file
	// program is what is started, and env what its environment has beside the test's.
	program string
	env     []string
	cmd     *exec.Cmd
	done    chan struct{}
}

// startProcess starts the daemon on a configuration file. What it logs is shown where the test fails.
func startProcess(t *testing.T, conf string) *process {
	t.Helper()
	p := newProcess(t, conf)
	p.start()
	return p
}

// newProcess is startProcess without the start.
func newProcess(t *testing.T, conf string) *process {
	t.Helper()
	p := &process{t: t, conf: conf, log: conf + ".log", program: "driftback"}
	t.Cleanup(func() {
		p.kill()
		b, err := os.ReadFile(p.log)
		if err == nil {
			require.NotContains(t, string(b), gitToken, "a secret is never logged")
		}
		if t.Failed() {
			t.Logf("%s\n%s", p.log, tail(string(b), 120))
		}
	})
	return p
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// start starts it again.
func (p *process) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(p.t, err)
	p.cmd = exec.Command(p.program, "--config", p.conf, "run")
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	require.NoError(p.t, p.cmd.Start())
	require.NoError(p.t, log.Close())
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(p.cmd, p.done)
}

// kill ends it at once, with no chance to put anything in order. It may be called from any goroutine, and twice.
func (p *process) kill() {
	if p.cmd == nil {
		return // it was never started
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// end stops it as a service manager does.
func (p *process) end() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	<-p.done
	require.Equal(p.t, exitDone, p.cmd.ProcessState.ExitCode())
}
