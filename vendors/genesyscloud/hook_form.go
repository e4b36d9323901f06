package genesyscloud

import (
	"context"
	"errors"
	"net/http"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/rest"
)

const formPath = "/api/v2/quality/forms/evaluations"

// readForm says that a form is published if any copy of it is.
func readForm(_ context.Context, _ *rest.Client, _ string, o rest.Object) error {
	if published, _ := o["published"].(bool); !published {
		o["published"] = len(list(sub(o, "publishedVersions"), "entities")) > 0
	}
	return nil
}

func createForm(ctx context.Context, c *rest.Client, body rest.Object) (string, error) {
	made, err := send(ctx, c, http.MethodPost, formPath, without(body, "published"))
	if err != nil {
		return "", err
	}
	id := text(made, "id")
	return id, publishForm(ctx, c, id, body)
}

// updateForm writes the form with the ids that its questions have, by which evaluations that were made refer to them.
func updateForm(ctx context.Context, c *rest.Client, id string, live, body rest.Object) (rest.Object, error) {
	was, _ := live["published"].(bool)
	if is, _ := body["published"].(bool); was && !is {
		return nil, errors.Join(errors.New("a form that is published cannot be taken back"), vendors.ErrInvalid)
	}
	sent := without(body, "published")
	keepIDs(list(live, "questionGroups"), list(sent, "questionGroups"), "name")
	if _, err := send(ctx, c, http.MethodPut, one(formPath, id), sent); err != nil {
		return nil, err
	}
	return nil, publishForm(ctx, c, id, body)
}

func publishForm(ctx context.Context, c *rest.Client, id string, body rest.Object) error {
	if published, _ := body["published"].(bool); !published {
		return nil
	}
	_, err := send(ctx, c, http.MethodPost, "/api/v2/quality/publishedforms/evaluations", rest.Object{"id": id, "published": true})
	return err
}

// keepIDs gives the parts of a form the ids of those that are named the same, else of those at the same place.
func keepIDs(live, body []rest.Object, name string) {
	used := map[int]bool{}
	match := func(i int, same func(a, b rest.Object) bool) int {
		for j, l := range live {
			if !used[j] && same(l, body[i]) {
				return j
			}
		}
		return -1
	}
	of := make([]int, len(body))
	for i := range body {
		of[i] = match(i, func(a, b rest.Object) bool { return text(a, name) == text(b, name) })
		if of[i] >= 0 {
			used[of[i]] = true
		}
	}
	for i, b := range body {
		if of[i] < 0 && i < len(live) && !used[i] {
			of[i], used[i] = i, true
		}
		if of[i] < 0 {
			continue
		}
		l := live[of[i]]
		for _, f := range []string{"id", "contextId"} {
			if v := text(l, f); v != "" {
				b[f] = v
			}
		}
		for _, inner := range []string{"questions", "answerOptions", "multipleSelectOptionQuestions"} {
			keepIDs(list(l, inner), list(b, inner), "text")
		}
		keepDefault(l, b)
	}
}

// keepDefault leaves the default answer of a question what it is: the id of one of its answers, which no spec has.
func keepDefault(live, body rest.Object) {
	wants, id := sub(body, "defaultAnswer"), text(sub(live, "defaultAnswer"), "id")
	if wants == nil || id == "" || wants["notApplicable"] == true {
		return
	}
	for _, answer := range list(body, "answerOptions") {
		if text(answer, "id") == id {
			wants["id"] = id
		}
	}
}
