package genesyscloud

import (
	"context"
	"net/http"
	"net/url"

	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

const promptPath = "/api/v2/architect/prompts"

// readPrompt names each recording by its length; where it lies is an address that ends soon.
func readPrompt(_ context.Context, _ *rest.Client, _ string, o rest.Object) error {
	for _, r := range list(o, "resources") {
		if text(r, "mediaUri") != "" && r["durationSeconds"] != nil {
			r["audio"] = rest.Object{"seconds": r["durationSeconds"]}
		}
	}
	return nil
}

// createPrompt creates the prompt and its texts. If a text is refused, the prompt goes again.
func createPrompt(ctx context.Context, c *rest.Client, body rest.Object) (string, error) {
	made, err := send(ctx, c, http.MethodPost, promptPath, without(body, "resources"))
	if err != nil {
		return "", err
	}
	id := text(made, "id")
	if err := writeTexts(ctx, c, id, nil, list(body, "resources")); err != nil {
		// What was begun shall not stand in the way of the next try.
		undo := rest.Request{Method: http.MethodDelete, Path: one(promptPath, id), Query: url.Values{"allResources": {"true"}}, Repeat: true}
		_, _ = c.Do(context.WithoutCancel(ctx), undo)
		return "", err
	}
	return id, nil
}

// updatePrompt writes the prompt where it changed, and then its texts by difference.
func updatePrompt(ctx context.Context, c *rest.Client, id string, live, body rest.Object) (rest.Object, error) {
	head := without(body, "resources")
	was := only(live, "name", "description")
	if resource.Text(canonical(was)) != resource.Text(canonical(only(head, "name", "description"))) || text(sub(live, "division"), "id") != text(sub(head, "division"), "id") {
		if _, err := again(ctx, c, http.MethodPut, one(promptPath, id), head); err != nil {
			return nil, err
		}
	}
	return nil, writeTexts(ctx, c, id, list(live, "resources"), list(body, "resources"))
}

// promptFields are what is written of a text; a recording is not touched.
var promptFields = []string{"language", "text", "ttsString", "tags"}

// writeTexts makes the prompt's texts what is wanted.
func writeTexts(ctx context.Context, c *rest.Client, id string, live, want []rest.Object) error {
	at := one(promptPath, id) + "/resources"
	is := map[string]rest.Object{}
	for _, r := range live {
		is[text(r, "language")] = r
	}
	for _, r := range want {
		language := text(r, "language")
		old, there := is[language]
		delete(is, language)
		body := only(r, promptFields...)
		var err error
		switch {
		case !there:
			_, err = send(ctx, c, http.MethodPost, at, body)
		case resource.Text(canonical(only(old, promptFields...))) != resource.Text(canonical(body)):
			_, err = again(ctx, c, http.MethodPut, one(at, language), body)
		}
		if err != nil {
			return err
		}
	}
	for language := range is {
		if _, err := again(ctx, c, http.MethodDelete, one(at, language), nil); err != nil {
			return err
		}
	}
	return nil
}
