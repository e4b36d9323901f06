package genesyscloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/rest"
)

const flowPath = "/api/v2/flows"

// maxFlow bounds the text of a flow, in bytes.
const maxFlow = 16 << 20

// exports is how often the export of a flow is begun of which the job says that there is no such flow.
const exports = 5

// readFlow adds the flow's content: Architect's YAML, by an export job. A job that met too many requests says that it could not find the flow,
// which has just been read: it is begun again, ever later (MyPureCloud/terraform-provider-genesyscloud, architect_flow).
func (h hooks) readFlow(ctx context.Context, c *rest.Client, id string, o rest.Object) error {
	for try := 1; ; try++ {
		content, err := h.export(ctx, c, id)
		if err == nil {
			o["content"] = withoutName(strings.ReplaceAll(content, "\r\n", "\n"))
			return nil
		}
		if said := strings.ToLower(err.Error()); try == exports || !strings.Contains(said, "could not find the flow with id") ||
			!strings.Contains(said, "exit code: 107") && !strings.Contains(said, "archy failed") {
			return fmt.Errorf("export: %w", err)
		}
		if err := h.clock.Sleep(ctx, time.Duration(try)*15*time.Second); err != nil {
			return err
		}
	}
}

// export returns the text of a flow as Architect has it.
func (h hooks) export(ctx context.Context, c *rest.Client, id string) (string, error) {
	started, err := send(ctx, c, http.MethodPost, flowPath+"/export/jobs", rest.Object{"flows": []any{rest.Object{"flow": rest.Object{"id": id}}}})
	if err != nil {
		return "", err
	}
	done, err := h.await(ctx, c, one(flowPath+"/export/jobs", text(started, "id")))
	if err != nil {
		return "", err
	}
	b, err := h.carry(ctx, http.MethodGet, text(done, "downloadUrl"), nil, nil)
	return string(b), err
}

// createFlow publishes the content, which makes the flow, also of a stub that another flow's publication left behind.
func (h hooks) createFlow(ctx context.Context, c *rest.Client, body rest.Object) (string, error) {
	id, err := h.publish(ctx, c, body)
	if err != nil {
		return "", err
	}
	made, err := h.soon(ctx, c, one(flowPath, id))
	if err != nil {
		return "", err
	}
	_, err = h.describe(ctx, c, id, made, body)
	return id, err
}

// updateFlow writes what the flow is called and where it belongs, and publishes its content where that changed. It returns the flow as
// it was after a publication, if that was the last that was written.
func (h hooks) updateFlow(ctx context.Context, c *rest.Client, id string, live, body rest.Object) (rest.Object, error) {
	if who := sub(live, "lockedUser"); who != nil {
		return nil, fmt.Errorf("%s is editing it in Architect and has not saved yet: %w", text(who, "name"), vendors.ErrBusy)
	}
	same := text(live, "content") == text(body, "content")
	if same || text(live, "name") != text(body, "name") { // a text of another name would be another flow
		if _, err := h.describe(ctx, c, id, live, body); err != nil || same {
			return nil, err
		}
	}
	got, err := h.publish(ctx, c, body)
	if err == nil && got != id {
		err = fmt.Errorf("the publication went to another flow, %s", got)
	}
	if err != nil {
		return nil, err
	}
	// The text may say otherwise of the division and the description.
	now, err := get(ctx, c, one(flowPath, id), nil)
	if err != nil {
		return nil, err
	}
	if wrote, err := h.describe(ctx, c, id, now, body); err != nil || wrote {
		return nil, err
	}
	return now, nil
}

// describe writes name, description and division where they are not what is wanted.
func (h hooks) describe(ctx context.Context, c *rest.Client, id string, live, body rest.Object) (wrote bool, err error) {
	if text(live, "name") == text(body, "name") && text(live, "description") == text(body, "description") &&
		text(sub(live, "division"), "id") == text(sub(body, "division"), "id") {
		return false, nil
	}
	_, err = again(ctx, c, http.MethodPut, one(flowPath, id), only(body, "name", "description", "division", "type"))
	return true, err
}

// publish sends the text and waits until it runs. It returns the flow's id. Flows that the text leads to and that are
// not there yet become stubs, so that two flows can lead to each other.
func (h hooks) publish(ctx context.Context, c *rest.Client, body rest.Object) (string, error) {
	content, err := withName(text(body, "content"), text(body, "type"), text(body, "name"))
	if err != nil {
		return "", err
	}
	job, err := send(ctx, c, http.MethodPost, flowPath+"/jobs", rest.Object{"createStubs": true})
	if err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	headers := map[string]string{}
	for k, v := range sub(job, "headers") {
		headers[k], _ = v.(string)
	}
	if err := vendors.Leased(ctx); err != nil {
		return "", err
	}
	if _, err := h.carry(ctx, http.MethodPut, text(job, "presignedUrl"), headers, []byte(content)); err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	done, err := h.await(ctx, c, one(flowPath+"/jobs", text(job, "id")))
	if err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	id := text(sub(done, "flow"), "id")
	if id == "" {
		return "", errors.New("publish: the job names no flow")
	}
	return id, nil
}

// await looks at a job until it is done. A failed one is ErrInvalid, with what it says.
func (h hooks) await(ctx context.Context, c *rest.Client, path string) (rest.Object, error) {
	begun := h.clock.Now()
	for {
		job, err := get(ctx, c, path, nil)
		if err != nil {
			return nil, err
		}
		switch strings.ToLower(text(job, "status")) {
		case "success":
			return job, nil
		case "failure", "failed":
			return nil, fmt.Errorf("%s: %w", said(job), vendors.ErrInvalid)
		}
		if h.clock.Now().Sub(begun) > h.timeout {
			return nil, fmt.Errorf("job %s is not done after %s", text(job, "id"), h.timeout)
		}
		if err := h.clock.Sleep(ctx, h.poll); err != nil {
			return nil, err
		}
	}
}

// said is what a job says of its failure, bounded.
func said(job rest.Object) string {
	var out []string
	for _, m := range list(job, "messages") {
		if kind := text(m, "type"); len(out) < 5 && (kind == "" || strings.EqualFold(kind, "error")) {
			out = append(out, strings.ToValidUTF8(text(m, "text")[:min(300, len(text(m, "text")))], ""))
		}
	}
	if len(out) == 0 {
		return "the job failed and does not say why"
	}
	return strings.Join(out, "; ")
}

// carry moves a text to or from an address that the platform handed out for this. The address is a credential: no error shows it.
func (h hooks) carry(ctx context.Context, method, address string, headers map[string]string, body []byte) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, errors.New("transfer: the platform handed out no address")
	}
	if err := h.mayTransfer(u); err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("transfer: the platform handed out an address that cannot be asked")
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := h.transfer.Do(req)
	if err != nil {
		if ended := ctx.Err(); ended != nil {
			return nil, ended
		}
		return nil, fmt.Errorf("transfer: %s does not answer", u.Host)
	}
	defer func() { _ = resp.Body.Close() }() // read only
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxFlow+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("transfer: %s breaks off", u.Host)
	case len(b) > maxFlow:
		return nil, fmt.Errorf("transfer: more than %d bytes: %w", maxFlow, vendors.ErrInvalid)
	case resp.StatusCode/100 != 2:
		return nil, fmt.Errorf("transfer: %s answers %s", u.Host, resp.Status)
	}
	return b, nil
}

// readOutcome: the platform gives an outcome that has no description a space for one (MyPureCloud/terraform-provider-genesyscloud, flow_outcome).
func readOutcome(_ context.Context, _ *rest.Client, _ string, o rest.Object) error {
	if strings.TrimSpace(text(o, "description")) == "" {
		delete(o, "description")
	}
	return nil
}
