package genesyscloud

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

func TestFlowTextsDoNotRepeatTheName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ exported, git string }{
		{"inboundCall:\n  name: Main\n  division: Home\n", "inboundCall:\n  division: Home\n"},
		{"# by hand\ninboundCall:\n  division: Home\n  name: \"Main\" # here\n  menus:\n    - name: Main\n", "# by hand\ninboundCall:\n  division: Home\n  menus:\n    - name: Main\n"},
		{"inboundCall:\n  name: 'Before a rename'\n  division: Home\n", "inboundCall:\n  division: Home\n"},
		{"inboundCall: {name: Main, division: Home}\n", "inboundCall: {name: Main, division: Home}\n"},                     // one line
		{"inboundCall:\n  name: Main\n", "inboundCall:\n  name: Main\n"},                                                   // nothing would be left
		{"inboundCall:\n  name: >\n    Main\n  division: Home\n", "inboundCall:\n  name: >\n    Main\n  division: Home\n"}, // several lines
		{"not: [yaml", "not: [yaml"},
	} {
		require.Equal(t, c.git, withoutName(c.exported), c.exported)
	}
	for _, git := range []string{"inboundCall:\n  division: Home\n", "# x\ninboundCall:\n    division: Home\n    menus: []\n"} {
		for _, name := range []string{"Main", `With "quotes": and # more`, "Ünïcode", "12", "yes"} {
			published, err := withName(git, "INBOUNDCALL", name)
			require.NoError(t, err)
			require.NotEqual(t, git, published)
			require.Equal(t, git, withoutName(published), published)
		}
	}
}

func TestTextsOfOtherFlowsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ content, want string }{
		{"inboundCall:\n  name: Other\n", `is named "Other", and the flow is "Main"`},
		{"workflow:\n  division: Home\n", "is of type workflow, and the flow is INBOUNDCALL"},
		{"", "want Architect's YAML"}, {"a: 1\nb: 2\n", "want Architect's YAML"}, {"inboundCall: {}\n", "nothing below the type"}, {"[1", "want Architect's YAML"},
	} {
		_, err := withName(c.content, "INBOUNDCALL", "Main")
		require.ErrorIs(t, err, vendors.ErrInvalid, c.content)
		require.ErrorContains(t, err, c.want)
	}
	same := "inboundCall:\n  name: Main\n"
	got, err := withName(same, "INBOUND_CALL", "Main")
	require.NoError(t, err)
	require.Equal(t, same, got)
}

func TestWhatAFlowNames(t *testing.T) {
	t.Parallel()
	got := flowTexts{}.In(resource.Spec{"content": `inboundCall:
  tasks:
    - transferToAcd:
        name: To the queue
        targetQueue:
          lit:
            name: Support
        skills:
          - acdSkill:
              skill: {lit: {name: Billing}}
    - evaluateScheduleGroup:
        scheduleGroup:
          lit: {name: 'Hours'}
        emergencyGroup:
          noValue: true
    - transferToAcd:
        targetQueue:
          exp: FindQueue(Flow.name)
    - transferToFlow:
        targetFlow: {lit: {name: Night}}
`})
	require.ElementsMatch(t, []resource.Key{key("queue/Support"), key("skill/Billing"), key("schedulegroup/Hours")}, got)
	for _, text := range []string{"", "no flow", "- a\n- b\n", "a: [", "queue: {lit: {name: [a]}}"} {
		require.Empty(t, flowTexts{}.In(resource.Spec{"content": text}), text)
	}
}

func TestRenamedInAFlow(t *testing.T) {
	t.Parallel()
	text := func(a, b, c string) string {
		return "inboundCall:\n  tasks:\n    - transferToAcd:\n        name: Support\n        targetQueue:\n          lit:\n            name: " + a +
			" # Support\n        skills:\n          - acdSkill: {skill: {lit: {name: " + b + "}}, languageSkill: {lit: {name: " + c + "}}}\n"
	}
	now := map[resource.Key]resource.Key{
		key("queue/Support"): key("queue/First: line"), key("skill/Bill"): key("skill/Claims"), key("language/Deutsch"): key("language/Schwiizertüütsch, it's"),
		key("schedule/Support"): key("schedule/Other"),
	}
	got := flowTexts{}.Renamed(resource.Spec{"content": text("Support", `"Bill"`, "'Deutsch'"), "description": "x"}, now)
	require.Equal(t, resource.Spec{"content": text(`"First: line"`, `"Claims"`, "'Schwiizertüütsch, it''s'"), "description": "x"}, got)
	require.ElementsMatch(t, []resource.Key{key("queue/First: line"), key("skill/Claims"), key("language/Schwiizertüütsch, it's")}, flowTexts{}.In(got))
	for _, same := range []string{"", "no flow", text("Other", "Other", "Other"), text(`"S\u0075pport"`, "Other", "Other")} {
		require.Equal(t, same, flowTexts{}.Renamed(resource.Spec{"content": same}, now)["content"])
	}
}

// A job that met too many requests says that there is no such flow: it is begun again, and what is really refused is told.
func TestExportsThatWereTooMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, nil, flow, division)
	_, err := org.By("Ann Lee").Publish("inboundCall:\n  name: Main\n  startUpRef: a\n")
	require.NoError(t, err)
	job := func(says string, times int) simulator.Fault {
		return simulator.Fault{Method: "GET", Path: "/api/v2/flows/export/jobs/*", Times: times, Status: 200, Body: `{"id":"x","status":"Failure","messages":[{"type":"Error","text":"` + says + `"}]}`}
	}
	w.Fail(job("Archy failed: Could not find the flow with id 'x'. exit code: 107", 3))
	s := observe(t, d)
	require.NotEmpty(t, s.Hash(key("flow/INBOUNDCALL/Main")))

	stop := w.Fail(job("Archy failed: the flow has no start", 0))
	defer stop()
	before := w.Calls()["POST /api/v2/flows/export/jobs"]
	_, err = w.open(t, org, nil, flow, division).Observe(t.Context(), vendors.Request{})
	require.ErrorContains(t, err, "no start")
	require.Equal(t, before+1, w.Calls()["POST /api/v2/flows/export/jobs"])
}
