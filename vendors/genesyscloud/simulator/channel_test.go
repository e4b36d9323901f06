package simulator

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// TestChannel listens with a WebSocket client that is not ours.
func TestChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	queue := text(w.ok("POST", "/api/v2/routing/queues", value{"name": "Support"}), "id")
	ch := w.ok("POST", "/api/v2/notifications/channels", nil)
	topic := "v2.audits.entitytype.queue.entityid." + queue
	path := "/api/v2/notifications/channels/" + text(ch, "id") + "/subscriptions"
	w.ok("PUT", path, []any{value{"id": topic}, value{"id": "v2.flows.other"}})
	require.Len(t, w.ok("GET", path, nil)["entities"], 2)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, text(ch, "connectUri"), nil)
	require.NoError(t, err)
	require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte(`{"message":"ping"}`)))
	read := func() value {
		_, b, err := conn.Read(ctx)
		require.NoError(t, err)
		var out value
		require.NoError(t, json.Unmarshal(b, &out))
		return out
	}
	require.Equal(t, "channel.metadata", read()["topicName"], "the channel is open")
	_, err = w.org.By("Ada").Create("skill", value{"name": "Nobody listens to this"})
	require.NoError(t, err)
	require.NoError(t, w.org.By("Ada").Edit("queue", queue, func(b map[string]any) { b["description"] = strings.Repeat("long ", 300) }))
	event := read()
	require.Equal(t, topic, event["topicName"])
	require.Equal(t, queue, refID(asMap(event["eventBody"])["entity"]))
	require.Equal(t, "Ada", text(asMap(asMap(event["eventBody"])["user"]), "name"))
	require.NoError(t, w.org.By("Ada").Edit("queue", queue, func(b map[string]any) { b["description"] = "short" }))
	require.Equal(t, topic, read()["topicName"])
	conn.CloseRead(ctx)
	require.NoError(t, conn.Ping(ctx))
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))

	w.ok("DELETE", path, nil)
	require.Empty(t, w.ok("GET", path, nil)["entities"])
	w.clock.pass(25 * time.Hour)
	w.token = w.login(w.org.ClientID(), w.org.Secret())
	w.refused(http.StatusNotFound, "GET", path, nil)
}

func TestControl(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Control: true})
	post := func(method, path, body string, header ...string) int {
		r, err := http.NewRequest(method, w.http.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		if len(header) > 0 {
			r.Header.Set("Origin", header[0])
		}
		a, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, a.Body.Close())
		return a.StatusCode
	}
	require.Equal(t, http.StatusNoContent, post("POST", "/control/faults", `{"Path": "/api/v2/routing/**", "Times": 1, "Status": 502}`))
	status, _, _ := w.raw("GET", "/api/v2/routing/skills", nil)
	require.Equal(t, 502, status)
	w.ok("GET", "/api/v2/routing/skills", nil)
	require.Equal(t, http.StatusNoContent, post("POST", "/control/faults", `{"Status": 503}`))
	require.Equal(t, http.StatusNoContent, post("DELETE", "/control/faults", ""))
	w.ok("GET", "/api/v2/routing/skills", nil)
	require.Equal(t, http.StatusOK, post("GET", "/control/calls", ""))
	require.Equal(t, http.StatusForbidden, post("DELETE", "/control/faults", "", "https://elsewhere.example"), "no page of a browser controls it")

	r, err := http.NewRequest(http.MethodDelete, "/control/faults", nil)
	require.NoError(t, err)
	r.RemoteAddr = "192.0.2.7:4711"
	a := &recorder{header: http.Header{}}
	w.s.ServeHTTP(a, r)
	require.Equal(t, http.StatusForbidden, a.code, "loopback only")
}

// TestDelayIsTheCallers: a request that is delayed ends when its client gives up.
func TestDelayIsTheCallers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.s.Fail(Fault{Path: "/api/v2/organizations/me", Times: 1, Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.http.URL+"/api/v2/organizations/me", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+w.token)
	_, err = http.DefaultClient.Do(r)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	w.ok("GET", "/api/v2/organizations/me", nil)
}
