//go:build unix

package directory

import (
	"maps"
	gosync "sync"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// racy is how old a file's last change must be when it is read, for its stamp to tell every
// later change: file systems keep time in steps of up to two seconds.
const racy = 2 * time.Second

// A cache remembers what files held, so that those that did not change are not read
// again, and since when they have been as they are.
type cache struct {
	mu        gosync.Mutex
	files     map[string]seen
	gone      map[string]time.Time // when this driver removed them
	pass      uint64
	unsettle  time.Duration // what Settling returns
	leftovers bool          // a scan saw temporary files
}

// seen is what is known of one file.
type seen struct {
	stamp
	hash  resource.Hash // zero: not read yet
	exact bool          // the stamp would tell of any change since
	ours  bool          // written by this driver, hence whole
	since time.Time     // when this stamp was first seen
	pass  uint64        // of the last scan that saw it
}

// begin starts a scan.
func (c *cache) begin() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pass++
	return c.pass
}

// look returns what is known of the file in this state, and takes note that it was seen.
func (c *cache) look(name string, st stamp, pass uint64, now time.Time) seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.files[name]
	if !ok || s.stamp != st {
		s = seen{stamp: st, since: now}
	}
	s.pass = max(s.pass, pass)
	c.put(name, s)
	return s
}

// learn notes the hash of the file in this state, which was read or written at now.
func (c *cache) learn(name string, st stamp, h resource.Hash, ours bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.files[name]
	if !ok || s.stamp != st {
		s = seen{stamp: st, since: now, pass: c.pass}
	}
	s.hash, s.ours = h, s.ours || ours
	s.exact = now.Sub(time.Unix(0, max(st.ctime, st.mtime))) > racy
	c.put(name, s)
}

func (c *cache) put(name string, s seen) {
	delete(c.gone, name)
	if c.files == nil {
		c.files = map[string]seen{}
	}
	c.files[name] = s
}

// end forgets what the scan did not see, and notes how long the unsettled need.
func (c *cache) end(pass uint64, unsettle time.Duration, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsettle = unsettle
	maps.DeleteFunc(c.gone, func(_ string, at time.Time) bool { return now.Sub(at) > time.Hour })
	for name, s := range c.files {
		if s.pass < pass {
			delete(c.files, name)
		}
	}
}

// remove notes that this driver removed the file: nobody is about to put it back.
func (c *cache) remove(name string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.files, name)
	if c.gone == nil {
		c.gone = map[string]time.Time{}
	}
	c.gone[name] = now
}

func (c *cache) removed(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.gone[name]
	return ok
}

// leave notes that there are temporary files of a change that was cut off, or of one under way.
func (c *cache) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leftovers = true
}

// left reports what leave noted since it was last asked.
func (c *cache) left() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.leftovers
	c.leftovers = false
	return l
}

// Settling returns how long the files that the last Observe took for half-written need to settle.
func (d *Driver) Settling() time.Duration {
	d.cache.mu.Lock()
	defer d.cache.mu.Unlock()
	return d.cache.unsettle
}
