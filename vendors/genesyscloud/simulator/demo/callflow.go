package demo

import (
	"fmt"
	"strings"
)

var holidays = []struct{ name, day string }{
	{"New Year", "01-01"}, {"Berchtold's Day", "01-02"}, {"Good Friday", "04-03"}, {"Easter Monday", "04-06"}, {"Labour Day", "05-01"}, {"Ascension", "05-14"},
	{"Whit Monday", "05-25"}, {"National Day", "08-01"}, {"Christmas Eve", "12-24"}, {"Christmas", "12-25"}, {"St Stephen's Day", "12-26"}, {"New Year's Eve", "12-31"},
}

// hours are when somebody answers.
func (b *builder) hours() {
	at := func(day, from, to, rule string) value {
		return value{"start": day + "T" + from + ":00.000000", "end": day + "T" + to + ":00.000000", "rrule": rule}
	}
	for _, s := range []struct{ name, from, to, days string }{
		{"Claims weekdays", "07:00", "20:00", "MO,TU,WE,TH,FR"}, {"Claims Saturday", "08:00", "16:00", "SA"},
		{"Sales weekdays", "08:00", in(b, "18:30", "18:30", "18:00"), "MO,TU,WE,TH,FR"}, {"Sales Saturday", "09:00", "13:00", "SA"},
		{"Service weekdays", "08:00", "18:00", "MO,TU,WE,TH,FR"}, {"Emergency", "00:00", "23:59", "MO,TU,WE,TH,FR,SA,SU"},
		{"Chat weekdays", "08:00", "17:30", "MO,TU,WE,TH,FR"}, {"Brokers weekdays", "08:00", "17:00", "MO,TU,WE,TH,FR"},
		{"Training", "13:00", "14:00", "WE"}, {"Campaigns", "09:00", "19:30", "MO,TU,WE,TH"},
	} {
		b.make("schedule", s.name, at("2026-01-05", s.from, s.to, "FREQ=WEEKLY;BYDAY="+s.days))
	}
	var closed []string
	for _, h := range holidays {
		b.make("schedule", h.name, at("2026-"+h.day, "00:00", "23:59", "FREQ=YEARLY"))
		closed = append(closed, h.name)
	}
	for _, g := range []struct {
		name string
		open []string
	}{
		{"Claims", []string{"Claims weekdays", "Claims Saturday"}}, {"Sales", []string{"Sales weekdays", "Sales Saturday"}}, {"Service", []string{"Service weekdays"}},
		{"Emergency", []string{"Emergency"}}, {"Chat", []string{"Chat weekdays"}}, {"Brokers", []string{"Brokers weekdays"}},
	} {
		holiday := closed
		if g.name == "Emergency" {
			holiday = nil
		}
		b.make("schedulegroup", g.name, value{
			"timeZone": "Europe/Zurich", "openSchedules": b.refs("schedule", g.open...), "closedSchedules": []any{}, "holidaySchedules": b.refs("schedule", holiday...),
		})
	}
}

var prompts = []string{
	"Welcome", "Welcome_back", "Goodbye", "Please_wait", "All_lines_busy", "Wait_is_short", "Wait_is_long", "Callback_offer", "Callback_confirmed", "Callback_number",
	"Closed", "Closed_holiday", "Closed_emergency", "Menu_main", "Menu_claims", "Menu_sales", "Menu_service", "Menu_language", "Invalid_choice", "No_choice",
	"Recording_notice", "Recording_refused", "Enter_policy_number", "Policy_not_found", "Policy_found", "Enter_claim_number", "Claim_not_found", "Claim_found",
	"Transfer_emergency", "Transfer_agent", "Transfer_broker", "Survey_offer", "Survey_question", "Survey_thanks", "Hail_warning", "Storm_notice", "System_fault", "Payment_reminder",
	"On_hold_music", "Whisper_motor",
}

// prompts are what callers hear.
func (b *builder) prompts() {
	for _, p := range prompts {
		b.make("prompt", p, value{"description": strings.ReplaceAll(p, "_", " ")})
		words := strings.ToLower(strings.ReplaceAll(p, "_", " "))
		b.link("prompt", p, "resources", "de-ch", value{"ttsString": "Ansage: " + words + "."})
		b.link("prompt", p, "resources", "fr-ch", value{"ttsString": "Annonce: " + words + "."})
	}
}

// tables are what flows look things up in.
func (b *builder) tables() {
	for _, t := range []struct {
		name    string
		columns []string
	}{
		{"Postcodes", []string{"region", "office"}}, {"Brokers", []string{"broker", "contact"}}, {"VIP numbers", []string{"customer", "queueName"}},
		{"Blocked numbers", []string{"reason"}}, {"Emergency partners", []string{"partner", "number"}}, {"Announcements", []string{"text", "until"}},
	} {
		props := value{"key": value{"title": "key", "type": "string", "$id": "/properties/key", "displayOrder": 0, "minLength": 1, "maxLength": 256}}
		for i, c := range t.columns {
			props[c] = value{"title": c, "type": "string", "$id": "/properties/" + c, "displayOrder": i + 1, "minLength": 0, "maxLength": 36000}
		}
		b.make("datatable", t.name, value{"description": t.name + " that flows look up", "schema": value{
			"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": []any{"key"}, "properties": props, "additionalProperties": false,
		}})
		b.link("datatable", t.name, "rows", "default", value{t.columns[0]: "none"})
	}
}

// queueNames are the queues by division, with what each needs.
var queueNames = []struct{ division, skill string }{
	{"Claims", "Motor"}, {"Claims", "Household"}, {"Claims", "Travel"}, {"Claims", "Glass damage"}, {"Claims", "Hail"}, {"Claims", "Water damage"}, {"Claims", "Liability"},
	{"Claims", "Legal protection"}, {"Claims", "Emergency"}, {"Claims", "Fraud"},
	{"Sales", "New business"}, {"Sales", "Offers"}, {"Sales", "Renewals"}, {"Sales", "Brokers"}, {"Sales", "Key accounts"}, {"Sales", "Retention"},
	{"Service", "Contract changes"}, {"Service", "Payments"}, {"Service", "Documents"}, {"Service", "Complaints"}, {"Service", "Technical help"}, {"Service", "Chat"}, {"Service", "Callback"},
	{"Service", "VIP"},
}

// queues are where callers wait.
func (b *builder) queues() {
	for i, q := range queueNames {
		name := q.division + " " + q.skill
		b.make("queue", name, value{
			"description": "Calls about " + strings.ToLower(q.skill), "division": b.division(q.division),
			"acwSettings":           value{"wrapupPrompt": "MANDATORY_TIMEOUT", "timeoutMs": 30000 + 5000*(i%4)},
			"skillEvaluationMethod": []string{"ALL", "BEST"}[i%2],
			"mediaSettings": value{"call": value{
				"alertingTimeoutSeconds": in(b, 12, 12, 20) + i%3,
				"serviceLevel":           value{"percentage": 0.8, "durationMs": in(b, 20000, 20000, 30000)},
			}},
			"queueFlow": b.ref("flow", "Waiting"), "onHoldPrompt": b.ref("prompt", "On_hold_music"), "enableTranscription": in(b, true, true, false),
			"memberGroups": []any{value{"id": b.id("group", []string{"Night shift", "Back office", "Weekend"}[i%3]), "type": "GROUP"}},
		})
		for j := range 6 {
			b.link("queue", name, "wrapupcodes", b.id("wrapupcode", codes[(i*3+j*7)%len(codes)]), nil)
		}
		for j := range 3 {
			b.link("queue", name, "members", b.id("user", staff[(i+j)%len(staff)]), value{"ringNumber": 1})
		}
	}
}

// flow is the text of a flow: a menu, and where its choices lead.
func flow(kind, name, description string, targets ...string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s:\n  name: %s\n  description: %s\n  defaultLanguage: de-ch\n  startUpRef: ./menus/menu[main]\n  menus:\n    - menu:\n        name: Main\n        refId: main\n        choices:\n", kind, name, description)
	for i, t := range targets {
		key, target, _ := strings.Cut(t, "=")
		fmt.Fprintf(&s, "          - %s:\n              name: Choice %d\n              dtmf: digit_%d\n              %s:\n                lit:\n                  name: %s\n",
			map[string]string{"targetQueue": "menuTransferToAcd", "targetFlow": "menuTransferToFlow"}[key], i+1, i+1, key, target)
	}
	return s.String()
}

// flows are published before the queues that use one of them, as stubs where they lead to queues.
func (b *builder) flows() {
	b.publish("Waiting", "inqueueCall:\n  name: Waiting\n  description: What callers hear while they wait\n  defaultLanguage: de-ch\n  holdMusic:\n    prompt:\n      lit:\n        name: On_hold_music\n")
}

func (b *builder) publish(name, text string) {
	if b.err != nil {
		return
	}
	id, err := b.by.Publish(text)
	if err != nil {
		b.err = err
		return
	}
	b.ids["flow/"+name] = id
}

// entries are the flows that answer, and the numbers that lead to them.
func (b *builder) entries() {
	to := func(kind string, names ...string) []string {
		var out []string
		for _, n := range names {
			out = append(out, kind+"="+n)
		}
		return out
	}
	b.publish("Closed", flow("inboundCall", "Closed", "Nobody is there"))
	for _, d := range []string{"Claims", "Sales", "Service"} {
		var queues []string
		for _, q := range queueNames {
			if q.division == d && len(queues) < 5 {
				queues = append(queues, d+" "+q.skill)
			}
		}
		b.publish(d, flow("inboundCall", d, d+" of "+Company, to("targetQueue", queues...)...))
	}
	b.publish("Main", flow("inboundCall", "Main", "The first menu", to("targetFlow", "Claims", "Sales", "Service")...))
	b.publish("Emergency", flow("inboundCall", "Emergency", "Day and night", to("targetQueue", "Claims Emergency")...))
	b.publish("Brokers", flow("inboundCall", "Brokers", "For brokers", to("targetQueue", "Sales Brokers")...))
	for i, r := range []struct{ name, flow, hours string }{
		{"Main number", "Main", "Service"}, {"Claims line", "Claims", "Claims"}, {"Sales line", "Sales", "Sales"}, {"Emergency line", "Emergency", "Emergency"}, {"Broker line", "Brokers", "Brokers"},
	} {
		b.make("ivr", r.name, value{
			"description": r.name + " of " + Company, "dnis": []any{fmt.Sprintf("+4144555%d%02d", in(b, 1, 2, 3), i*10)},
			"openHoursFlow": b.ref("flow", r.flow), "closedHoursFlow": b.ref("flow", "Closed"), "holidayHoursFlow": b.ref("flow", "Closed"), "scheduleGroup": b.ref("schedulegroup", r.hours),
		})
	}
	b.make("emergencygroup", "Evacuation", value{"description": "Everybody is out of the building", "enabled": false, "emergencyCallFlows": []any{
		value{"emergencyFlow": b.ref("flow", "Emergency"), "ivrs": b.refs("ivr", "Main number", "Claims line")},
	}})
	for _, o := range []string{"Claim opened", "Claim status told", "Offer asked for", "Callback arranged", "Agent reached", "Hung up in menu", "Payment arranged", "Address changed", "Offer sent", "Contract ended", "Partner called", "Appointment made", "Forwarded to broker", "Survey done", "Identity proved"} {
		b.make("flowoutcome", o, value{"description": o})
	}
	for _, m := range []string{"Language chosen", "Policy identified", "Claim identified", "Menu left", "Queue entered", "Callback offered", "Wait told", "Survey offered", "Emergency detected", "Broker identified", "Payment chosen", "Claim opened", "Documents chosen", "Offer chosen", "Voice recognised", "Number recognised", "VIP recognised", "Callback agreed", "Transfer begun", "Agent greeted"} {
		b.make("flowmilestone", m, value{"description": m})
	}
}
