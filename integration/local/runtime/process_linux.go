package runtime

import (
	"bytes"
	"fmt"
	"os"
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

// maxMemory returns the high-water mark of a process's resident memory in bytes,
// or 0. See https://man7.org/linux/man-pages/man5/proc_pid_status.5.html.
func maxMemory(pid int) (size int64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, mark, _ := bytes.Cut(status, []byte("\nVmHWM:"))
	fmt.Fscanf(bytes.NewReader(mark), "%d kB", &size)
	return size * 1024
}
