package runtime

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// TestMain makes the test binary the bootstrap of the functions below: run
// with a function's name in its environment, as Lambda does, it is that
// function.
func TestMain(m *testing.M) {
	if name := os.Getenv("AWS_LAMBDA_FUNCTION_NAME"); name != "" {
		functions[name]()
		return
	}
	if name := os.Getenv("PARENT_OF"); name != "" {
		abandon(name)
	}
	os.Exit(m.Run())
}

type inkError struct{ color string }

func (e *inkError) Error() string { return "out of " + e.color + " ink" }

var functions = map[string]func(){
	"echo": func() {
		fmt.Println("starting")
		n := 0
		lambda.Start(func(event json.RawMessage) (json.RawMessage, error) {
			n++
			fmt.Printf("event %d on stdout\n", n)
			fmt.Fprintf(os.Stderr, "event %d on stderr, unfinished", n)
			return event, nil
		})
	},
	"surroundings": func() {
		lambda.Start(func(ctx context.Context) (surroundings, error) {
			dir, err := os.Getwd()
			deadline, _ := ctx.Deadline()
			lc, _ := lambdacontext.FromContext(ctx)
			return surroundings{os.Environ(), os.Args[1:], dir, deadline, lc.AwsRequestID, lc.InvokedFunctionArn}, err
		})
	},
	// use fills as many MB of memory as its event says, and gives them back.
	"use": func() {
		lambda.Start(func(megabytes int) error {
			mem, err := syscall.Mmap(-1, 0, megabytes<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
			if err != nil {
				return err
			}
			for i := range mem {
				mem[i] = 1
			}
			return syscall.Munmap(mem)
		})
	},
	"error": func() {
		lambda.Start(func() error { return &inkError{"black"} })
	},
	"panic": func() {
		lambda.Start(func() { panic("on purpose") })
	},
	"exit": func() {
		lambda.Start(func() {
			fmt.Println("leaving")
			os.Exit(3)
		})
	},
	"quiet exit": func() {
		lambda.Start(func() { os.Exit(0) })
	},
	"starts at second try": func() {
		if _, err := os.Stat("tried"); err != nil {
			if err := os.WriteFile("tried", nil, 0o600); err != nil {
				log.Fatal(err)
			}
			log.Fatal("no settings")
		}
		lambda.Start(func() (string, error) { return "ready", nil })
	},
	"init error": func() {
		post("init/error", `{"errorType":"ConfigError","errorMessage":"TWITTER_ACCESS_TOKEN is missing"}`)
		os.Exit(1)
	},
	// visit connects to the address in its event, says "here", and answers
	// when it is told something, with how long it has waited.
	"visit": func() {
		lambda.Start(func(address string) (time.Duration, error) {
			begin := time.Now()
			conn, err := net.Dial("tcp", address)
			if err != nil {
				return 0, err
			}
			fmt.Println("here")
			fmt.Fprintln(conn, "here")
			if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
				return 0, err
			}
			return time.Since(begin), nil // the connection stays as long as the process
		})
	},
	// hang says "here" as soon as it starts, and never answers.
	"hang": func() {
		sayHere()
		lambda.Start(func() {
			fmt.Println("hanging")
			select {}
		})
	},
	// nest has a process of its own say "here", and never answers.
	"nest": func() {
		child := exec.Command(os.Args[0])
		child.Env = []string{"AWS_LAMBDA_FUNCTION_NAME=nested", "ADDRESS=" + os.Getenv("ADDRESS")}
		if err := child.Start(); err != nil {
			log.Fatal(err)
		}
		lambda.Start(func() { select {} })
	},
	"nested": func() {
		sayHere().Read(make([]byte, 1)) // until the test ends, should nobody kill it
	},
	"large": func() {
		lambda.Start(func() (string, error) { return strings.Repeat("x", maxResponseBytes), nil })
	},
	"noisy": func() {
		lambda.Start(func() {
			fmt.Println("the first line")
			line := strings.Repeat("n", 1023) + "\n"
			for range 3 * maxLogBytes / len(line) {
				io.WriteString(os.Stdout, line)
			}
			fmt.Println(strings.Repeat("w", maxLineBytes+1))
			fmt.Println("the last line")
		})
	},
	// bare is a runtime that gets the protocol wrong, and prints what it is told.
	"bare": func() {
		resp, err := http.Get(api("invocation/next"))
		if err != nil {
			log.Fatal(err)
		}
		id := resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
		fmt.Println("trace", resp.Header.Get("Lambda-Runtime-Trace-Id"))
		fmt.Println("another id", post("invocation/another/response", `1`))
		fmt.Println("this id", post("invocation/"+id+"/response", `2`))
		fmt.Println("twice", post("invocation/"+id+"/error", `3`))
		http.Get(api("invocation/next"))
	},
}

type surroundings struct {
	Env, Args []string
	Dir       string
	Deadline  time.Time
	ID, ARN   string
}

func sayHere() net.Conn {
	conn, err := net.Dial("tcp", os.Getenv("ADDRESS"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(conn, "here")
	return conn
}

func api(path string) string {
	return "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/" + path
}

func post(path, body string) int {
	resp, err := http.Post(api(path), "application/json", bytes.NewBufferString(body))
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// abandon invokes a function that never answers, and so waits to be killed.
func abandon(name string) {
	l, err := Start(Function{Name: name, Bootstrap: os.Args[0], Timeout: time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	l.Invoke(context.Background(), []byte(os.Getenv("EVENT")))
}
