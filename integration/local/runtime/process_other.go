//go:build !linux

package runtime

import "syscall"

// processAttributes put a process in a group of its own, to be signalled with
// whatever it starts.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// standsStill cannot be told here, so a stop signal is trusted to be quick.
func standsStill(int) bool { return true }

// maxMemory cannot be told here.
func maxMemory(int) int64 { return 0 }
