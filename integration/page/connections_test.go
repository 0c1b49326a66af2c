package page_test

import (
	"net"
	"sync"
)

// connections is a listener whose connections can be cut.
type connections struct {
	net.Listener
	mu     sync.Mutex // guards the fields below
	open   []net.Conn
	closed bool // to new ones
}

func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.mu.Lock()
		c.open = append(c.open, conn)
		if c.closed {
			conn.Close()
		}
		c.mu.Unlock()
	}
	return conn, err
}

// cut ends all connections, and new ones at once until mend.
func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		conn.Close()
	}
	c.open, c.closed = nil, true
}

func (c *connections) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = false
}
