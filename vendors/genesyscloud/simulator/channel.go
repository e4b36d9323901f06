package simulator

import (
	"bufio"
	"crypto/sha1" // #nosec G505 -- RFC 6455 asks for it
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A channel is a subscription to topics, whose events are sent over a WebSocket.
type channel struct {
	id      string
	org     *Org
	expires time.Time
	topics  []string
	conn    *socket // nil until somebody listens
}

// channelDays is how long a channel lives.
const channelDays = 1

func (s *Server) channelRoutes(m *http.ServeMux) {
	const path = "/api/v2/notifications/channels"
	s.handle(m, "POST "+path, "", func(c *call) (answer, *problem) {
		ch := &channel{id: "channel-" + s.uuid(), org: c.org, expires: s.o.Now().AddDate(0, 0, channelDays)}
		s.channels[ch.id] = ch
		return ok(c.channel(ch))
	})
	s.handle(m, "GET "+path, "", func(c *call) (answer, *problem) {
		out := []any{}
		for _, ch := range s.channels {
			if ch.org == c.org {
				out = append(out, c.channel(ch))
			}
		}
		return ok(map[string]any{"entities": out})
	})
	s.handle(m, "GET "+path+"/{id}/subscriptions", "", func(c *call) (answer, *problem) { return c.topics(func(*channel, []string) {}) })
	s.handle(m, "PUT "+path+"/{id}/subscriptions", "", func(c *call) (answer, *problem) {
		return c.topics(func(ch *channel, topics []string) { ch.topics = topics })
	})
	s.handle(m, "POST "+path+"/{id}/subscriptions", "", func(c *call) (answer, *problem) {
		return c.topics(func(ch *channel, topics []string) { ch.topics = append(ch.topics, topics...) })
	})
	s.handle(m, "DELETE "+path+"/{id}/subscriptions", "", func(c *call) (answer, *problem) {
		if ch := s.channels[c.r.PathValue("id")]; ch != nil && ch.org == c.org {
			ch.topics = nil
			return ok(map[string]any{})
		}
		return answer{}, notFound("channel", c.r.PathValue("id"))
	})
}

func (c *call) channel(ch *channel) map[string]any {
	return map[string]any{"id": ch.id, "connectUri": "ws" + strings.TrimPrefix(c.base, "http") + "/channels/" + ch.id, "expires": stamp(ch.expires)}
}

// maxTopics is how many topics a channel may have.
const maxTopics = 1000

func (c *call) topics(change func(*channel, []string)) (answer, *problem) {
	ch := c.s.channels[c.r.PathValue("id")]
	if ch == nil || ch.org != c.org || !c.s.o.Now().Before(ch.expires) {
		return answer{}, notFound("channel", c.r.PathValue("id"))
	}
	var topics []string
	if c.body != nil {
		list, p := c.array(maxTopics)
		if p != nil {
			return answer{}, p
		}
		for _, e := range list {
			topics = append(topics, refID(e))
		}
	}
	if change(ch, topics); len(ch.topics) > maxTopics {
		ch.topics = ch.topics[:maxTopics]
		return answer{}, bad("a channel has at most %d topics", maxTopics)
	}
	out := []any{}
	for _, t := range ch.topics {
		out = append(out, map[string]any{"id": t, "state": "Permitted", "selfUri": "/api/v2/notifications/availabletopics/" + t})
	}
	return ok(map[string]any{"entities": out})
}

// announce tells the channels of the organisation what was audited. s.mu is held; a listener that does
// not keep up loses events, as on the platform.
func (s *Server) announce(o *Org, a *audit) {
	topics := []string{
		"v2.audits.entitytype." + a.Entity + ".entityid." + a.EntityID,
		"v2.audits.entitytype." + strings.ToLower(a.Entity) + ".entityid." + a.EntityID,
	}
	switch a.Entity {
	case "Flow":
		topics = append(topics, "v2.flows."+a.EntityID)
	case "Prompt":
		topics = append(topics, "v2.architect.prompts."+a.EntityID)
	case "Campaign", "ContactList", "RuleSet", "DNCList", "CallableTimeSet":
		topics = append(topics, "v2.outbound."+strings.ToLower(a.Entity)+"s."+a.EntityID)
	}
	for _, ch := range s.channels {
		if ch.org != o || ch.conn == nil || !s.o.Now().Before(ch.expires) {
			continue
		}
		for _, t := range topics {
			if slices.Contains(ch.topics, t) {
				ch.conn.send(map[string]any{"topicName": t, "version": "2", "eventBody": o.message(a), "metadata": map[string]any{"CorrelationId": a.ID}})
				break
			}
		}
	}
}

// A socket is the server's side of a WebSocket (RFC 6455): text frames go out, what comes in is a ping or the end.
type socket struct {
	out chan []byte
}

func (k *socket) send(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		return
	}
	select {
	case k.out <- b:
	default:
	}
}

// serveChannel upgrades the connection and serves it until the client leaves.
func (s *Server) serveChannel(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	ch := s.channels[strings.TrimPrefix(r.URL.Path, "/channels/")]
	s.mu.Unlock()
	key := r.Header.Get("Sec-WebSocket-Key")
	h, canHijack := w.(http.Hijacker)
	if ch == nil || key == "" || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || !canHijack {
		http.Error(w, "no such channel, or not a WebSocket", http.StatusBadRequest)
		return
	}
	conn, rw, err := h.Hijack()
	if err != nil {
		http.Error(w, "no connection to take over", http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // #nosec G401 -- RFC 6455
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
	if err != nil {
		return
	}
	k := &socket{out: make(chan []byte, 256)}
	s.mu.Lock()
	ch.conn = k
	s.mu.Unlock()
	k.serve(conn, rw.Reader)
	s.mu.Lock()
	if ch.conn == k {
		ch.conn = nil
	}
	s.mu.Unlock()
}

// The opcodes that are used.
const (
	frameText  = 1
	frameClose = 8
	framePing  = 9
	framePong  = 10
)

func (k *socket) serve(conn net.Conn, in *bufio.Reader) {
	pongs, gone := make(chan []byte, 1), make(chan struct{})
	var bye []byte // why the client leaves; read after gone
	go func() {
		defer close(gone)
		for {
			op, body, err := readFrame(in)
			switch {
			case err != nil:
				return
			case op == frameClose:
				bye = body
				return
			case op == framePing:
				select {
				case pongs <- body:
				default:
				}
			case op == frameText && strings.Contains(string(body), `"ping"`):
				k.send(map[string]any{"topicName": "channel.metadata", "eventBody": map[string]any{"message": "pong"}})
			}
		}
	}()
	for {
		var err error
		select {
		case <-gone:
			_ = writeFrame(conn, frameClose, bye) // the client is leaving already
			return
		case b := <-pongs:
			err = writeFrame(conn, framePong, b)
		case b := <-k.out:
			err = writeFrame(conn, frameText, b)
		}
		if err != nil {
			_ = conn.Close() // it failed already
			<-gone
			return
		}
	}
}

// maxFrame bounds what a client may send in one frame.
const maxFrame = 1 << 16

func readFrame(r *bufio.Reader) (op byte, body []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1] & 0x7f)
	switch n {
	case 126:
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, nil, err
		}
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		n = maxFrame + 1
	}
	var mask [4]byte
	if n > maxFrame || head[1]&0x80 == 0 {
		return 0, nil, io.ErrUnexpectedEOF // too large, or not masked as a client's must be
	}
	if _, err := io.ReadFull(r, mask[:]); err != nil {
		return 0, nil, err
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	for i := range body {
		body[i] ^= mask[i%4]
	}
	return head[0] & 0x0f, body, nil
}

// writeWait is how long a client may take to receive a frame.
const writeWait = 10 * time.Second

func writeFrame(conn net.Conn, op byte, body []byte) error {
	head := []byte{0x80 | op}
	switch n := len(body); {
	case n < 126:
		head = append(head, byte(n))
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(n))
	}
	if err := conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	_, err := conn.Write(append(head, body...))
	return err
}
