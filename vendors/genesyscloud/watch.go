package genesyscloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// The notification channels of the platform: a channel lives for a day and has at most 1000 topics, each for one object.
const (
	channelPath = "/api/v2/notifications/channels"
	maxTopics   = 1000
	channelLife = 23 * time.Hour
	// silence is how long a channel may say nothing: the platform sends a heartbeat every 30 seconds.
	silence = 2 * time.Minute
	maxWait = 5 * time.Minute
)

// watched are the kinds of which each object gets a topic, as long as there are any: those first whose change people feel first. The
// topics are those of the platform's audit; flows and prompts have their own besides. What there is one of has the organisation's id, as on
// record. Rows of tables have none.
var watched = []struct {
	kind   resource.Kind
	entity string
	topic  string // with %s for the id; "" is the audit's alone
}{
	{queue, "Queue", ""}, {flow, "Flow", "v2.flows.%s"}, {ivr, "IVRConfig", ""}, {emergencygroup, "EmergencyGroup", ""}, {schedule, "Schedule", ""},
	{schedulegroup, "ScheduleGroup", ""}, {prompt, "Prompt", "v2.architect.prompts.%s"}, {campaign, "Campaign", "v2.outbound.campaigns.%s"},
	{wrapupcode, "WrapupCode", ""}, {skillgroup, "SkillGroup", ""}, {division, "Division", ""}, {skill, "Skill", ""}, {datatable, "DataTable", ""},
	{contactlist, "ContactList", "v2.outbound.contactlists.%s"}, {ruleset, "RuleSet", ""}, {role, "Role", ""}, {group, "Group", ""}, {trigger, "Trigger", ""},
	{dataaction, "Action", ""}, {integration, "Integration", ""}, {webconfiguration, "WebDeploymentConfiguration", ""}, {webdeployment, "WebDeployment", ""},
	{responselibrary, "ResponseLibrary", ""}, {response, "Response", ""}, {dnclist, "DNCList", ""}, {callabletimeset, "CallableTimeSet", ""},
	{attemptlimit, "AttemptLimits", ""}, {flowoutcome, "FlowOutcome", ""}, {flowmilestone, "FlowMilestone", ""}, {language, "Language", ""},
	{location, "Location", ""}, {team, "Team", ""}, {evaluationform, "EvaluationForm", ""}, {routingsettings, "RoutingSettings", ""},
	{utilization, "Utilization", ""}, {user, "User", ""},
}

// seen is what the last reading listed, for subscribing. It holds keys and ids and no bodies.
type seen struct {
	mu    sync.Mutex
	ids   map[resource.Kind]map[string]resource.Key
	fresh bool          // since it was last asked for
	first chan struct{} // closed by the first reading
}

func newSeen() *seen { return &seen{first: make(chan struct{})} }

// note takes a reading in.
func (s *seen) note(snap *resource.Snapshot) {
	if snap == nil {
		return
	}
	ids := map[resource.Kind]map[string]resource.Key{}
	_, org, _ := strings.Cut(snap.Tenant(), ":")
	for e := range snap.Entries() {
		id := ""
		if e.Origin != nil {
			id = e.Origin.ID
		}
		if slices.ContainsFunc(audits, func(a audited) bool { return a.kind == e.Key.Kind && a.single }) {
			id = org
		}
		if id == "" {
			continue
		}
		if ids[e.Key.Kind] == nil {
			ids[e.Key.Kind] = map[string]resource.Key{}
		}
		ids[e.Key.Kind][id] = e.Key
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		close(s.first)
	}
	s.ids, s.fresh = ids, true
}

// topics returns the topics of what was listed last with the keys that they are about, as many as a channel takes, and whether
// anything was listed since the last time.
func (s *seen) topics() (topics map[string]resource.Key, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh, s.fresh = s.fresh, false
	topics = map[string]resource.Key{}
	for _, w := range watched {
		for _, id := range slices.Sorted(maps.Keys(s.ids[w.kind])) {
			names := []string{"v2.audits.entitytype." + w.entity + ".entityid." + id}
			if w.topic != "" {
				names = append(names, fmt.Sprintf(w.topic, id))
			}
			if len(topics)+len(names) > maxTopics {
				return topics, fresh
			}
			for _, n := range names {
				topics[n] = s.ids[w.kind][id]
			}
		}
	}
	return topics, fresh
}

// Watch gives hints from a notification channel until ctx ends. Of what has no topic, and of what is new, there are none before
// the next reading. A channel that breaks is opened again, ever more slowly.
func (d *Driver) Watch(ctx context.Context, changed func(...resource.Key)) error {
	w := &watch{d: d, changed: changed}
	for try := 0; ; try++ {
		begun := d.o.Clock.Now()
		err := w.listen(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, vendors.ErrDenied) || errors.Is(err, vendors.ErrUnsupported) {
			return fmt.Errorf("watch: %w", err)
		}
		if d.o.Clock.Now().Sub(begun) > silence {
			try = 0 // it had worked for a while
		}
		if err := d.o.Clock.Sleep(ctx, min(maxWait, time.Second<<min(try, 10))); err != nil {
			return err
		}
		changed() // nobody knows what was missed
	}
}

// A watch is one channel under way.
type watch struct {
	d       *Driver
	changed func(...resource.Key)

	mu     sync.Mutex
	topics map[string]resource.Key
}

// listen opens a channel and reads it until it ends.
func (w *watch) listen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, channelLife)
	defer cancel()
	if err := w.awaitReading(ctx); err != nil {
		return err
	}
	channel, err := send(ctx, w.d.Client(), http.MethodPost, channelPath, nil)
	if err != nil {
		return err
	}
	u, err := url.Parse(text(channel, "connectUri"))
	if err != nil || u.Host == "" {
		return errors.New("the platform hands out no channel")
	}
	web := *u
	web.Scheme = strings.Replace(web.Scheme, "ws", "http", 1)
	if err := safe(&web); err != nil {
		return fmt.Errorf("channel: %w", err)
	}
	conn, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPClient: &http.Client{Transport: w.d.o.Transport}})
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close() // an upgraded answer has none
	}
	if err != nil {
		return fmt.Errorf("channel: %s does not answer", u.Host) // the address is a credential
	}
	defer func() { _ = conn.CloseNow() }() // there is nothing to lose
	conn.SetReadLimit(1 << 20)
	id := text(channel, "id")
	if err := w.subscribe(ctx, id); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- w.read(ctx, conn) }()
	err = w.keep(ctx, id, ended)
	cancel()
	<-ended
	return err
}

// awaitReading waits for the loop's first reading, and reads itself where there is none.
func (w *watch) awaitReading(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, w.d.o.Resubscribe)
	defer cancel()
	select {
	case <-w.d.seen.first:
		return nil
	case <-wait.Done():
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s, err := w.d.Observe(ctx, vendors.Request{})
	if s == nil {
		return err
	}
	return nil
}

// keep subscribes to what is new from time to time, until reading ends.
func (w *watch) keep(ctx context.Context, id string, ended chan error) error {
	tick := time.NewTicker(w.d.o.Resubscribe)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			ended <- err
			return err
		case <-tick.C:
			if _, fresh := w.d.seen.topics(); !fresh { // nobody has read for so long
				if s, err := w.d.Observe(ctx, vendors.Request{}); s == nil {
					return err
				}
			}
			if err := w.subscribe(ctx, id); err != nil {
				return err
			}
		}
	}
}

// subscribe asks for what was listed last, if that is other than before.
func (w *watch) subscribe(ctx context.Context, id string) error {
	topics, _ := w.d.seen.topics()
	w.mu.Lock()
	same := len(topics) == len(w.topics)
	for t, k := range topics {
		same = same && w.topics[t] == k
	}
	w.topics = topics
	w.mu.Unlock()
	if same {
		return nil
	}
	body := []any{}
	for _, t := range slices.Sorted(maps.Keys(topics)) {
		body = append(body, rest.Object{"id": t})
	}
	c := w.d.Client()
	_, err := c.Do(ctx, rest.Request{
		Operation: "subscribe", Method: http.MethodPut, Path: one(channelPath, id) + "/subscriptions", Query: url.Values{"ignoreErrors": {"true"}},
		Body: body, Repeat: true,
	})
	return err
}

// read passes events on as hints.
func (w *watch) read(ctx context.Context, conn *websocket.Conn) error {
	for {
		one, cancel := context.WithTimeout(ctx, silence)
		_, b, err := conn.Read(one)
		cancel()
		if err != nil {
			return errors.New("channel: broken off")
		}
		var event struct {
			Topic string `json:"topicName"`
		}
		if json.Unmarshal(b, &event) != nil {
			continue
		}
		w.mu.Lock()
		key, known := w.topics[event.Topic]
		w.mu.Unlock()
		if known {
			w.changed(key)
		}
	}
}
