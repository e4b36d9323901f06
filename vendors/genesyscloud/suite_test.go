package genesyscloud

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/vendortest"
)

// An example is an object in JSON. # in it is replaced by a number, to have it in many values; @ by true or false.
type example struct {
	key   string
	json  string
	needs []string // keys of other examples
	// values is how many there are: 1 where there is nothing but the name, or what is fixed at the creation
	values int
	names  []string // hard ones, for the suite
	// vary makes more of the n-th value than # can, and include is what the configuration includes; nil is everything but parts.
	vary    func(n int, s resource.Spec)
	include []string
	// without are cases of the suite that the platform has no occasion for, with the reason
	without map[string]string
}

// unguarded is why nobody can say whose edit is whole where two write what consists of parts at once.
const unguarded = "a version guards the user, and not what is written apart from it"

// named is what cannot be done by anybody.
var named = map[string]string{"ForeignRename": "it has its name for ever"}

const home = `"division": {"$ref": "division/Home"}`

// queueDefaults are what the platform fills in of a queue.
const queueDefaults = `"mediaSettings": {
			"call": {"enableAutoAnswer": false, "alertingTimeoutSeconds": 8, "serviceLevel": {"percentage": 0.8, "durationMs": 20000}},
			"callback": {"enableAutoAnswer": false, "alertingTimeoutSeconds": 30, "serviceLevel": {"percentage": 0.8, "durationMs": 20000}},
			"chat": {"enableAutoAnswer": false, "alertingTimeoutSeconds": 30, "serviceLevel": {"percentage": 0.8, "durationMs": 20000}},
			"email": {"enableAutoAnswer": false, "alertingTimeoutSeconds": 300, "serviceLevel": {"percentage": 0.8, "durationMs": 86400000}},
			"message": {"enableAutoAnswer": false, "alertingTimeoutSeconds": 30, "serviceLevel": {"percentage": 0.8, "durationMs": 20000}}
		},
		"acwSettings": {"wrapupPrompt": "MANDATORY_TIMEOUT", "timeoutMs": 300000}, "scoringMethod": "TimestampAndPriority", "skillEvaluationMethod": "ALL",
		"autoAnswerOnly": true, "enableTranscription": false, "enableAudioMonitoring": false, "enableManualAssignment": false, "suppressInQueueCallRecording": true`

// examples are one object of every kind that is managed, as specs have them: with what the platform fills in.
var examples = []example{
	{key: "division/Sales", json: `{"description": "Text #"}`},
	{key: "skill/Billing", json: `{"division": {"$ref": "division/D#"}}`, needs: []string{"division/D1", "division/D2", "division/D3", "division/D4"}, values: 4, without: named},
	{key: "language/Deutsch", json: `{}`, values: 1, without: named},
	{key: "wrapupcode/Sold", json: `{"description": "Text #", ` + home + `}`, names: []string{"Ünïcode 日本", "with/slash", "a%2Fb", `quote"s`, "*?[x]", "über & <b>"}},
	{key: "schedule/Weekdays", json: `{"description": "Text #", "start": "2026-01-05T08:00:00.000000", "end": "2026-01-05T18:00:00.000000", "rrule": "FREQ=WEEKLY;BYDAY=MO", ` + home + `}`},
	{key: "schedulegroup/Hours", json: `{"description": "Text #", "timeZone": "Europe/Zurich", "openSchedules": [{"$ref": "schedule/Weekdays"}], ` + home + `}`, needs: []string{"schedule/Weekdays"}},
	{key: "responselibrary/Answers", json: `{"responseType": "MessagingTemplate", ` + home + `}`, values: 1},
	{key: "response/Answers/Hello", json: `{"libraries": [{"$ref": "responselibrary/Answers"}], "texts": [{"content": "Hello #", "contentType": "text/plain"}]}`, needs: []string{"responselibrary/Answers"}},
	{key: "location/Zurich", json: `{"notes": "Text #", "address": {"city": "Zurich", "country": "CH", "street1": "Street 1", "zipcode": "8000"}}`},
	{key: "group/Agents", json: `{"description": "Text #", "type": "official", "rulesVisible": true, "visibility": "public", "rolesEnabled": false, "includeOwners": true, "callsEnabled": false}`},
	{key: "team/Tigers", json: `{"description": "Text #", ` + home + `}`},
	{key: "role/Operator", json: `{"description": "Text #", "permissionPolicies": [{"domain": "routing", "entityName": "queue", "actionSet": ["edit", "view"]}]}`},
	{key: "integration/Web", json: `{"integrationType": {"id": "custom-rest-actions"}, "intendedState": "DISABLED", "configuration": {"notes": "Text #", "properties": {}, "advanced": {}, "credentials": {}}}`},
	{key: "dataaction/CRM/Find", json: `{"integrationId": {"$ref": "integration/Web"},
		"contract": {"input": {"inputSchema": {"type": "object", "properties": {"id": {"type": "string"}, "n#": {"type": "string"}}}}, "output": {"successSchema": {"type": "object", "properties": {}}}},
		"config": {"timeoutSeconds": #, "request": {"requestUrlTemplate": "https://crm.example.org/${input.id}", "requestType": "GET", "headers": {}}, "response": {"translationMap": {}, "successTemplate": "${rawResult}"}}}`, needs: []string{"integration/Web"}},
	{key: "prompt/Welcome", json: `{"description": "Text #", "resources": [{"language": "en-us", "text": "Welcome #", "ttsString": "Welcome #"}], ` + home + `}`, without: named},
	{key: "datatable/Shops", json: `{"description": "Text #", "schema": {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}, "open": {"type": "boolean"}, "phone": {"type": "string"}}}, ` + home + `}`},
	{key: "datatablerow/Shops/17", json: `{"datatable": {"$ref": "datatable/Shops"}, "phone": "+4144#", "open": true}`, needs: []string{"datatable/Shops"}, without: map[string]string{
		"ForeignRename": "its key is its name", "Watch": "a row has no topic", "Audit": "records are the table's",
	}},
	{key: "skillgroup/Experts", json: `{"description": "Text #", "skillConditions": [{"routingSkillConditions": [{"routingSkill": {"$ref": "skill/Billing"}, "comparator": "GreaterThan", "proficiency": 3, "childConditions": []}], "languageSkillConditions": [], "operation": "And"}], ` + home + `}`, needs: []string{"division/D1", "skill/Billing"}},
	{key: "queue/Support", json: `{"description": "Text #", ` + home + `, "wrapUpCodes": [{"$ref": "wrapupcode/Sold"}], "memberGroups": [{"$ref": "group/Agents"}],
		` + queueDefaults + `}`,
		needs: []string{"wrapupcode/Sold", "group/Agents"},
		vary: func(n int, s resource.Spec) {
			if n%2 == 1 {
				delete(s, "wrapUpCodes")
			}
		}},
	{key: "flow/INBOUNDCALL/Main", json: `{"description": "Text #", "content": "inboundCall:\n  description: Text #\n  startUpRef: here\n", ` + home + `}`},
	{key: "flowoutcome/Booked", json: `{"description": "Text #", ` + home + `}`, without: map[string]string{"ForeignDelete": "outcomes cannot be deleted"}},
	{key: "flowmilestone/Asked", json: `{"description": "Text #", ` + home + `}`},
	{key: "ivr/Hotline", json: `{"description": "Text #", "dnis": ["+41441234567"], "scheduleGroup": {"$ref": "schedulegroup/Hours"}, "openHoursFlow": {"$ref": "flow/INBOUNDCALL/Main"}, ` + home + `}`, needs: []string{"schedule/Weekdays", "schedulegroup/Hours", "flow/INBOUNDCALL/Main"}},
	{key: "emergencygroup/Evacuation", json: `{"description": "Text #", "emergencyCallFlows": [{"emergencyFlow": {"$ref": "flow/INBOUNDCALL/Main"}, "ivrs": []}], ` + home + `}`, needs: []string{"flow/INBOUNDCALL/Main"}},
	{key: "attemptlimit/Three", json: `{"maxAttemptsPerContact": 3, "maxAttemptsPerNumber": #, "timeZoneId": "Europe/Zurich", "resetPeriod": "NEVER"}`},
	{key: "contactlist/Customers", json: `{"columnNames": ["name", "phone"], "phoneColumns": [{"columnName": "phone", "type": "cell"}], "zipCodeColumnName": "c#", "attemptLimits": {"$ref": "attemptlimit/Three"}, ` + home + `}`, needs: []string{"attemptlimit/Three"}},
	{key: "dnclist/Nobody", json: `{"dncSourceType": "rds", "contactMethod": "Phone", "customExclusionColumn": "c#", ` + home + `}`},
	{key: "callabletimeset/Daytime", json: `{"callableTimes": [{"timeZoneId": "Europe/Zurich", "timeSlots": [{"startTime": "09:00:00", "stopTime": "17:00:00", "day": #}]}]}`},
	{key: "ruleset/Rules", json: `{"contactList": {"$ref": "contactlist/Customers"}, "rules": [{"name": "Rule #", "order": 0, "category": "DIALER_PRECALL", "conditions": [{"type": "wrapupCondition", "codes": [{"$ref": "wrapupcode/Sold"}]}], "actions": [{"type": "Action", "actionTypeName": "DO_NOT_DIAL"}]}]}`, needs: []string{"attemptlimit/Three", "contactlist/Customers", "wrapupcode/Sold"}},
	{key: "campaign/Spring", json: `{"contactList": {"$ref": "contactlist/Customers"}, "dialingMode": "agentless", "phoneColumns": [{"columnName": "phone", "type": "cell"}], "callerName": "Acme #", "callerAddress": "+41441234567",
		"campaignStatus": "off", "previewTimeOutSeconds": 0, "noAnswerTimeout": 30, "priority": 5, "dncLists": [{"$ref": "dnclist/Nobody"}], "ruleSets": [{"$ref": "ruleset/Rules"}], ` + home + `}`,
		needs: []string{"attemptlimit/Three", "contactlist/Customers", "wrapupcode/Sold", "dnclist/Nobody", "ruleset/Rules"}},
	{key: "webconfiguration/Chat", json: `{"description": "Text #", "languages": ["en-us"], "defaultLanguage": "en-us", "messenger": {"enabled": true}}`},
	{key: "webdeployment/Shop", json: `{"description": "Text #", "status": "Active", "allowAllDomains": true, "configuration": {"id": {"$ref": "webconfiguration/Chat"}}}`, needs: []string{"webconfiguration/Chat"}},
	{key: "trigger/Missed", json: `{"description": "Text #", "topicName": "v2.detail.events.conversation.{id}.user.end", "enabled": true, "target": {"type": "Workflow", "id": {"$ref": "flow/WORKFLOW/Call back"}}}`, needs: []string{"flow/WORKFLOW/Call back"}},
	{key: "evaluationform/Politeness", json: `{"published": true, "questionGroups": [{"name": "Opening", "type": "questionGroup", "weight": 1, "questions": [{"text": "Friendly #?", "type": "multipleChoiceQuestion", "answerOptions": [{"text": "Yes", "value": 1}, {"text": "No", "value": 0}]}]}], ` + home + `}`},
	{key: "routingsettings/settings", json: `{"resetAgentScoreOnPresenceChange": @}`, values: 2},
	{key: "utilization/settings", json: `{"labelUtilizations": [], "utilization": {
		"call": {"maximumCapacity": #, "interruptableMediaTypes": ["callback"], "includeNonAcd": false},
		"callback": {"maximumCapacity": 1, "interruptableMediaTypes": [], "includeNonAcd": false}, "chat": {"maximumCapacity": 4, "interruptableMediaTypes": [], "includeNonAcd": false},
		"email": {"maximumCapacity": 1, "interruptableMediaTypes": ["call", "callback", "chat"], "includeNonAcd": false},
		"message": {"maximumCapacity": 4, "interruptableMediaTypes": [], "includeNonAcd": true}, "workitem": {"maximumCapacity": 1, "interruptableMediaTypes": [], "includeNonAcd": false}}}`},
	{key: "user/ann@example.org", json: `{"name": "Ann Lee", "title": "Agent #", "state": "active", "acdAutoAnswer": true, ` + home + `}`},
}

// others are needed by examples and none themselves.
var others = []example{
	{key: "flow/WORKFLOW/Call back", json: `{"content": "workflow:\n  defaultLanguage: en-us\n", ` + home + `}`},
	{key: "division/D1", json: `{}`}, {key: "division/D2", json: `{}`}, {key: "division/D3", json: `{}`}, {key: "division/D4", json: `{}`},
}

// parted are objects with the parts that are managed on request only.
var parted = []example{
	{
		key: "queue/Team", json: `{` + queueDefaults + `, ` + home + `}`, include: []string{"queue.members"},
		needs: []string{"user/ann@example.org", "user/bob@example.org", "user/cat@example.org", "wrapupcode/Sold"},
		vary: func(n int, s resource.Spec) {
			s["wrapUpCodes"] = []any{resource.Ref{Key: key("wrapupcode/Sold")}}
			members := []any{}
			for i, name := range []string{"ann", "bob", "cat"} {
				m := map[string]any{"id": resource.Ref{Key: key("user/" + name + "@example.org")}}
				if ring := (n>>i)%6 + 1; ring > 1 {
					m["ringNumber"] = number(fmt.Sprint(ring))
				}
				if n%4 != i {
					members = append(members, m)
				}
			}
			s["members"], s["description"] = members, fmt.Sprint("Text ", n)
		},
	},
	{
		key: "user/dan@example.org", json: `{"name": "Dan Lee", "title": "Agent #", "state": "active", ` + home + `}`,
		include: []string{"user", "user.skills", "user.languages", "user.roles"},
		without: map[string]string{"Race": unguarded},
		needs:   []string{"division/D1", "division/D2", "skill/Billing", "skill/Claims", "language/Deutsch", "role/Operator"},
		vary: func(n int, s resource.Spec) {
			skills := []any{map[string]any{"id": resource.Ref{Key: key("skill/Billing")}, "proficiency": number(fmt.Sprint(n%5 + 1))}}
			if n%2 == 0 {
				skills = append(skills, map[string]any{"id": resource.Ref{Key: key("skill/Claims")}, "proficiency": number("3")})
				s["languages"] = []any{map[string]any{"id": resource.Ref{Key: key("language/Deutsch")}, "proficiency": number(fmt.Sprint(n%3 + 1))}}
			} else {
				s["roles"] = []any{resource.Ref{Key: key("role/Operator")}}
			}
			s["skills"] = skills
		},
	},
}

// colleagues are needed by what has parts.
var colleagues = []example{
	{key: "user/bob@example.org", json: `{"name": "Bob", "state": "active", ` + home + `}`}, {key: "user/cat@example.org", json: `{"name": "Cat", "state": "active", ` + home + `}`},
	{key: "skill/Claims", json: `{"division": {"$ref": "division/D2"}}`},
}

// run names an example in the output.
func (e example) run() string {
	return strings.Join(append([]string{e.key}, e.include...), "+")
}

func (e example) spec(t *testing.T, n int) resource.Spec {
	out := spec(t, strings.NewReplacer("#", fmt.Sprint(n+1), "@", fmt.Sprint(n%2 == 0)).Replace(e.json))
	if e.vary != nil {
		e.vary(n, out)
	}
	return out
}

// object is the example as the suite takes it.
func (e example) object(t *testing.T) vendortest.Object {
	o := vendortest.Object{Key: key(e.key), Values: e.values, Vary: func(n int) resource.Spec { return e.spec(t, n) }}
	for _, need := range e.needs {
		for _, x := range slices.Concat(others, colleagues, examples) {
			if x.key == need {
				o.Needs = append(o.Needs, resource.Resource{Key: key(need), Spec: x.spec(t, 0)})
			}
		}
	}
	return o
}

// everything manages also what is managed on request only.
func everything(c *Config) { c.Include = []string{"user", "datatablerow"} }

func TestEveryKindHasAnExample(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	d := w.open(t, w.Org("Acme"), everything)
	for _, k := range d.managed() {
		require.True(t, slices.ContainsFunc(examples, func(e example) bool { return key(e.key).Kind == k }), "%s is not tried", k)
	}
}

// TestDriver is the suite for each kind, on a platform that is consistent at once and one that is not.
func TestDriver(t *testing.T) {
	t.Parallel()
	for _, e := range slices.Concat(examples, parted) {
		t.Run(e.run(), func(t *testing.T) {
			t.Parallel()
			suite(t, e, simulator.Options{Rate: -1}, nil)
		})
	}
}

// TestDriverWithFaults is the suite where a tenth of the requests is refused as too many, or fails, and answers to creations get lost. That listings lag
// behind is another test's matter (TestQuietPasses): the suite asks for what is, and such a platform does not say.
func TestDriverWithFaults(t *testing.T) {
	t.Parallel()
	for i, e := range slices.Concat(examples, parted) {
		t.Run(e.run(), func(t *testing.T) {
			t.Parallel()
			suite(t, e, simulator.Options{Rate: -1, Seed: uint64(i)}, func(w *world) {
				w.Fail(simulator.Fault{Path: "/api/**", Share: 8, Status: 429, RetryAfter: 1})
				// So few that five in a row, after which the driver gives up, do not come in all the requests that are made here.
				w.Fail(simulator.Fault{Method: "GET", Path: "/api/**", Share: 2, Status: 503})
				w.Fail(simulator.Fault{Method: "POST", Path: "/api/v2/routing/**", Share: 20, Lost: true})
			})
		})
	}
}

// suite runs the suite on one kind. The driver manages it and what it needs.
func suite(t *testing.T, e example, o simulator.Options, disturb func(*world)) {
	object := e.object(t)
	include := everything
	if e.include != nil {
		include = func(c *Config) { c.Include = e.include }
	}
	kinds := []resource.Kind{object.Key.Kind}
	for _, n := range object.Needs {
		if n.Key.Kind != user || e.include == nil {
			kinds = append(kinds, n.Key.Kind)
		}
	}
	w := newWorld(t, o) // each case has an organisation of its own in it
	if disturb != nil {
		disturb(w)
	}
	var orgs atomic.Int32
	vendortest.Run(t, vendortest.Fixture{
		Objects: []vendortest.Object{object}, Without: e.without, Names: e.names,
		Open: func(t *testing.T) vendortest.Platform {
			org := w.Org(fmt.Sprintf("Acme %d", orgs.Add(1)))
			return vendortest.Platform{
				Driver: w.open(t, org, include, kinds...),
				Again:  func() vendors.Driver { return w.open(t, org, include, kinds...) },
				Hand:   w.hands(org),
			}
		},
	})
}
