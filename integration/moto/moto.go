// Package moto starts moto, which answers for AWS on this machine, for the
// tests that need DynamoDB or Parameter Store.
//
// The one idea: a test process has one server, started by the first test that
// asks and ended by the end of the process. Tests keep out of each other's way
// by the names of what they make in it.
package moto

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// A Server is a running moto. It does not check credentials.
type Server struct {
	URL    string     // http://127.0.0.1:PORT, the endpoint of every service
	Config aws.Config // for clients of it

	stdin io.Closer // the server ends when this is closed, or collected
}

// Start returns the process's server, and starts it on the first call. It fails
// t if moto is not installed.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var start = sync.OnceValues(func() (*Server, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	python := filepath.Join(dir, ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return nil, fmt.Errorf("moto is not installed (%w); from the repository's root:\n"+
			"python3 -m venv integration/moto/.venv && "+
			"integration/moto/.venv/bin/pip install --require-hashes -r integration/moto/requirements.txt", err)
	}
	cmd := exec.Command(python, filepath.Join(dir, "server.py"))
	cmd.Env = []string{} // no credentials, no proxy
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting moto: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting moto: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting moto: %w", err)
	}
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("moto ended before it listened: %w", errors.Join(err, cmd.Wait()))
	}
	url := "http://127.0.0.1:" + strings.TrimSpace(port)
	return &Server{
		URL: url,
		Config: aws.Config{
			Region:       "us-east-1",
			Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
			BaseEndpoint: &url,
		},
		stdin: stdin,
	}, nil
})

// folder returns this package's folder, seen from whichever package is tested.
func folder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return filepath.Join(dir, "integration", "moto"), nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return "", fmt.Errorf("looking for the repository: %w", err)
		}
		dir = parent
	}
}
