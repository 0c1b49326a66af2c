package runtime

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// processAttributes put a process in a group of its own, to be signalled with
// whatever it starts, and let it die with this one even if that is killed.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// standsStill reports whether every thread of a child process is stopped. A
// stop signal takes a moment to reach threads that run on other processors.
func standsStill(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err == nil && info.Signo != 0
}
