package gitstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
)

// A network is a repository on a server, by http or ssh.
type network struct {
	end    transport.Endpoint // without user and password
	auth   Auth
	client transport.Transport
	ssh    *sshAuth // nil for http

	mu      sync.Mutex // guards what follows
	receive *capability.List
	direct  bool // the server took the last push at this very URL, so that it need not be asked again
	up      transport.UploadPackSession
	upload  *capability.List
}

// openNetwork parses a URL. It does not connect.
func openNetwork(o Options) (*network, error) {
	end, err := transport.NewEndpoint(o.URL)
	if err != nil {
		return nil, errors.New("URL cannot be parsed") // which may hold a password
	}
	n := &network{end: *end, auth: o.Auth}
	user, password := end.User, end.Password
	n.end.User, n.end.Password = "", ""
	if n.auth.User == "" {
		n.auth.User = user
	}
	switch end.Protocol {
	case "http", "https":
		if password != "" && n.auth.Token == nil {
			n.auth.Token = func(context.Context) (string, error) { return password, nil }
		}
		if n.auth.User == "" {
			n.auth.User = "x-access-token"
		}
		n.client = githttp.NewClient(&http.Client{Transport: busyTransport{transportOf(o)}})
	case "ssh":
		if n.auth.User == "" {
			n.auth.User = "git"
		}
		if n.ssh, err = newSSHAuth(n.auth, n.end, o.Timeout); err != nil {
			return nil, err
		}
		n.client = gitssh.NewClient(nil)
	default:
		return nil, fmt.Errorf("no such kind of URL: %s", end.Protocol)
	}
	return n, nil
}

// transportOf returns how to reach a server by http: connections of our own, unless the options say otherwise.
func transportOf(o Options) http.RoundTripper {
	if o.Transport != nil {
		return o.Transport
	}
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		base = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	return base.Clone()
}

// String returns the URL without credentials.
func (n *network) String() string { return n.end.String() }

// method returns how to sign in to the next request.
func (n *network) method(ctx context.Context) (transport.AuthMethod, error) {
	if n.ssh != nil {
		return n.ssh, nil
	}
	if n.auth.Token == nil {
		return nil, nil //nolint:nilnil // go-git's way of saying anonymous
	}
	token, err := n.auth.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("get token: %w", err)
	}
	return &githttp.BasicAuth{Username: n.auth.User, Password: token}, nil
}

// Refs implements Remote.
func (n *network) Refs(ctx context.Context) (Refs, bool, error) {
	method, err := n.method(ctx)
	if err != nil {
		return nil, false, err
	}
	end := n.end
	session, err := n.client.NewUploadPackSession(&end, method)
	if err != nil {
		return nil, false, explain(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.up = nil
	adv, err := session.AdvertisedReferencesContext(ctx)
	refs := Refs{}
	switch {
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
	case err != nil:
		_ = session.Close()
		return nil, false, explain(err)
	default:
		for name, id := range adv.References {
			refs[name] = ID(id)
		}
		n.upload = adv.Capabilities
	}
	if n.ssh != nil || err != nil { // an open ssh session holds a process at the server
		_ = session.Close()
	} else {
		n.up = session
	}
	if n.receive == nil {
		n.learn(ctx)
	}
	return refs, n.receive != nil && n.receive.Supports(capability.Atomic), nil
}

// learn asks what the server offers to those who push. Who may not push learns nothing. The caller holds mu.
func (n *network) learn(ctx context.Context) {
	session, end, err := n.receiver(ctx)
	if err != nil {
		return
	}
	defer func() { _ = session.Close() }() // nothing was sent
	adv, err := session.AdvertisedReferencesContext(ctx)
	if err == nil {
		n.receive, n.direct = adv.Capabilities, end.String() == n.end.String()
	}
}

// receiver starts a session for pushing.
func (n *network) receiver(ctx context.Context) (transport.ReceivePackSession, *transport.Endpoint, error) {
	method, err := n.method(ctx)
	if err != nil {
		return nil, nil, err
	}
	end := n.end
	session, err := n.client.NewReceivePackSession(&end, method)
	return session, &end, explain(err)
}

// Fetch implements Remote.
func (n *network) Fetch(ctx context.Context, into Sink, want, have []ID) error {
	n.mu.Lock()
	session, caps := n.up, n.upload
	n.up = nil
	n.mu.Unlock()
	if session == nil {
		method, err := n.method(ctx)
		if err != nil {
			return err
		}
		end := n.end
		if session, err = n.client.NewUploadPackSession(&end, method); err != nil {
			return explain(err)
		}
		adv, err := session.AdvertisedReferencesContext(ctx)
		if err != nil {
			_ = session.Close()
			return explain(err)
		}
		caps = adv.Capabilities
	}
	defer func() { _ = session.Close() }() // everything was read
	req := packp.NewUploadPackRequestFromCapabilities(caps)
	for _, id := range want {
		req.Wants = append(req.Wants, plumbing.Hash(id))
	}
	for _, id := range have[:min(len(have), maxHaves)] {
		req.Haves = append(req.Haves, plumbing.Hash(id))
	}
	res, err := session.UploadPack(ctx, req)
	if err != nil {
		return explain(err)
	}
	defer func() { _ = res.Close() }()
	var r io.Reader = res
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		r = sideband.NewDemuxer(sideband.Sideband64k, res)
	case req.Capabilities.Supports(capability.Sideband):
		r = sideband.NewDemuxer(sideband.Sideband, res)
	}
	return into.Pack(activityOf(ctx).reader(r))
}

// maxHaves bounds what is said of what is here: one tip is enough for the server to find the rest.
const maxHaves = 1000

// Push implements Remote.
func (n *network) Push(ctx context.Context, ups []Update, out *Outgoing) error {
	report, said, err := n.send(ctx, ups, out)
	if err != nil {
		return err
	}
	return n.verdict(ctx, ups, report, said)
}

// send pushes and returns the server's report and what it says to people.
func (n *network) send(ctx context.Context, ups []Update, out *Outgoing) (*packp.ReportStatus, string, error) {
	n.mu.Lock()
	caps := n.receive
	direct := n.direct && n.ssh == nil && caps != nil
	n.mu.Unlock()
	session, end, err := n.receiver(ctx)
	if err != nil {
		return nil, "", notSent{err}
	}
	defer func() { _ = session.Close() }() // what counts is the report
	if !direct {
		adv, err := session.AdvertisedReferencesContext(ctx)
		if err != nil {
			return nil, "", notSent{explain(err)}
		}
		caps, direct = adv.Capabilities, end.String() == n.end.String()
	}
	req, said, err := request(caps, ups)
	if err != nil {
		return nil, "", notSent{err}
	}
	packed := func() error { return nil }
	if hasNew(ups) {
		req.Packfile, packed = stream(activityOf(ctx), func(w io.Writer) error {
			_, _, err := writePack(w, out, !caps.Supports("no-thin"))
			return err
		})
	}
	report, err := session.ReceivePack(ctx, req)
	if packErr := packed(); packErr != nil { // the server got no whole pack
		return nil, "", notSent{packErr}
	}
	n.mu.Lock()
	n.receive, n.direct = caps, direct
	if report == nil {
		n.receive, n.direct = nil, false
	}
	n.mu.Unlock()
	if report == nil {
		return nil, "", n.failed(err)
	}
	return report, said.String(), nil
}

// stream returns what write writes as a reader, and a function that ends it and returns the error of write.
func stream(a *activity, write func(io.Writer) error) (r io.ReadCloser, end func() error) {
	pr, pw := io.Pipe()
	result := make(chan error, 1)
	go func() {
		err := write(pw)
		pw.CloseWithError(err)
		if errors.Is(err, io.ErrClosedPipe) { // the reader wanted no more
			err = nil
		}
		result <- err
	}()
	r = struct {
		io.Reader
		io.Closer
	}{a.reader(pr), pr}
	return r, func() error {
		_ = pr.Close()
		return <-result
	}
}

func hasNew(ups []Update) bool {
	for _, u := range ups {
		if !u.New.IsZero() {
			return true
		}
	}
	return false
}

// request says which refs move. What the server says to people goes to the buffer.
func request(caps *capability.List, ups []Update) (*packp.ReferenceUpdateRequest, *bytes.Buffer, error) {
	req := packp.NewReferenceUpdateRequestFromCapabilities(caps)
	if !caps.Supports(capability.ReportStatus) {
		return nil, nil, errors.New("the server does not report what a push did")
	}
	set := func(c capability.Capability) error {
		if caps.Supports(c) {
			return req.Capabilities.Set(c)
		}
		return fmt.Errorf("the server does not offer %s: %w", c, ErrRefused)
	}
	if len(ups) > 1 {
		if err := set(capability.Atomic); err != nil {
			return nil, nil, err
		}
	}
	said := &bytes.Buffer{}
	if set(capability.Sideband64k) == nil {
		req.Progress = said
	}
	for _, u := range ups {
		if u.New.IsZero() {
			if err := set(capability.DeleteRefs); err != nil {
				return nil, nil, err
			}
		}
		req.Commands = append(req.Commands, &packp.Command{
			Name: plumbing.ReferenceName(u.Ref), Old: plumbing.Hash(u.Old), New: plumbing.Hash(u.New),
		})
	}
	return req, said, nil
}

// failed says what a push without a report comes to.
func (n *network) failed(err error) error {
	var dial *net.OpError
	switch {
	case err == nil:
		return errors.New("the server did not report what the push did")
	case errors.As(err, &dial) && dial.Op == "dial":
		return notSent{err}
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return notSent{explain(err)}
	}
	return explain(err)
}

// verdict reads the server's report.
func (n *network) verdict(ctx context.Context, ups []Update, report *packp.ReportStatus, said string) error {
	if report.UnpackStatus != "ok" {
		return notSent{fmt.Errorf("the server could not store the objects: %s%s", oneLine(report.UnpackStatus), quoted(said))}
	}
	status := map[string]string{}
	for _, c := range report.CommandStatuses {
		status[c.ReferenceName.String()] = c.Status
	}
	for _, u := range ups {
		switch s, ok := status[u.Ref]; {
		case !ok:
			return fmt.Errorf("the server did not report on %s", u.Ref)
		case s != "ok":
			return n.refused(ctx, ups, u, oneLine(s)+quoted(said))
		}
	}
	return nil
}

// refused tells a ref that moved from a rule of the server: by asking where the refs are, for texts differ.
func (n *network) refused(ctx context.Context, ups []Update, u Update, why string) error {
	refs, _, err := n.Refs(ctx)
	if err != nil {
		return notSent{fmt.Errorf("ref %s: %s; asking where it is: %w", u.Ref, why, err)}
	}
	for _, u := range ups {
		if refs[u.Ref] != u.Old {
			return fmt.Errorf("ref %s: is at %.10s, not %.10s: %w", u.Ref, refs[u.Ref], u.Old, ErrStale)
		}
	}
	for _, busy := range []string{"failed to update ref", "lock", "transaction"} { // somebody else is moving it just now
		if strings.Contains(why, busy) {
			return fmt.Errorf("ref %s: %s: %w", u.Ref, why, ErrStale)
		}
	}
	return fmt.Errorf("ref %s: %s: %w", u.Ref, why, ErrRefused)
}

// quoted returns what a server says to people, in one line of bounded length, as the end of a message.
func quoted(said string) string {
	said = strings.Join(strings.Fields(clean(said)), " ")
	if said == "" {
		return ""
	}
	return fmt.Sprintf(" (%.500s)", said)
}

// A brief error may hold the whole body of a server's answer, and shows its beginning on one line.
type brief struct{ error }

func (b brief) Error() string { return oneLine(b.error.Error()) }
func (b brief) Unwrap() error { return b.error }

// oneLine returns what a server said in one line of bounded length.
func oneLine(said string) string {
	return fmt.Sprintf("%.500s", strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(said, " "))), " "))
}

// explain gives errors of go-git their class, and a message of bounded length.
func explain(err error) error {
	if err == nil {
		return nil
	}
	err = brief{err}
	switch {
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed),
		strings.Contains(err.Error(), "unable to authenticate"):
		return fmt.Errorf("%w: %w", ErrAuth, err)
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return fmt.Errorf("%w, or not visible with these credentials", err)
	}
	return err
}
