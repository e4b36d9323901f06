package demo

import (
	"fmt"
	"strings"
)

// integrations are what flows ask elsewhere.
func (b *builder) integrations() {
	b.make("integration", "Policy system", value{"integrationType": value{"id": "custom-rest-actions"}})
	b.make("integration", "Claims system", value{"integrationType": value{"id": "custom-rest-actions"}})
	host := in(b, "api", "api-test", "api-dev") + ".alpine-mutual.example"
	for _, a := range []struct{ system, name, path, in, out string }{
		{"Policy", "Find policy by number", "policies/number/${input.number}", "number", "policyId"}, {"Policy", "Find customer by phone", "customers/phone/${input.phone}", "phone", "customerId"},
		{"Policy", "Read customer", "customers/${input.customerId}", "customerId", "name"}, {"Claims", "Find claim by number", "claims/number/${input.number}", "number", "claimId"},
		{"Claims", "Read claim", "claims/${input.claimId}", "claimId", "status"}, {"Claims", "Nearest partner", "partners/near/${input.postcode}", "postcode", "partner"},
	} {
		schema := func(field string) value {
			return value{"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": []any{field}, "properties": value{field: value{"type": "string"}}, "additionalProperties": true}
		}
		b.make("dataaction", a.name, value{
			"category": a.system, "integrationId": b.id("integration", a.system+" system"), "secure": false,
			"contract": value{"input": value{"inputSchema": schema(a.in)}, "output": value{"successSchema": schema(a.out)}},
			"config": value{"request": value{"requestUrlTemplate": "https://" + host + "/" + a.path, "requestType": "GET", "headers": value{}, "requestTemplate": "${input.rawRequest}"},
				"response": value{"translationMap": value{}, "translationMapDefaults": value{}, "successTemplate": "${rawResult}"}},
		})
	}
}

// outbound are the calls that the company makes.
func (b *builder) outbound() {
	b.make("attemptlimits", "Three a day", value{"maxAttemptsPerContact": 3, "maxAttemptsPerNumber": 2, "timeZoneId": "Europe/Zurich", "resetPeriod": "TODAY"})
	var slots []any
	for day := 1; day <= 5; day++ {
		slots = append(slots, value{"startTime": "09:00:00", "stopTime": "19:30:00", "day": day})
	}
	b.make("callabletimeset", "Weekdays", value{"callableTimes": []any{value{"timeZoneId": "Europe/Zurich", "timeSlots": slots}}})
	b.make("dnclist", "Do not call", value{"dncSourceType": "rds", "contactMethod": "Phone"})
	for i, c := range []string{"Renewals", "Welcome calls", "Payment reminders", "Satisfaction"} {
		b.make("contactlist", c, value{
			"columnNames": []any{"customer", "policy", "phone", "language"}, "phoneColumns": []any{value{"columnName": "phone", "type": "cell"}}, "attemptLimits": b.ref("attemptlimits", "Three a day"),
			"division": b.division("Sales"), "trimWhitespace": true,
		})
		b.make("ruleset", c, value{"contactList": b.ref("contactlist", c), "queue": b.ref("queue", "Sales Renewals"), "rules": []any{value{
			"name": "Do not call again", "order": 0, "category": "DIALER_WRAPUP", "conditions": []any{value{"type": "wrapupCondition", "inverted": false, "codes": []any{b.id("wrapupcode", "Do not call")}}},
			"actions": []any{value{"type": "Action", "actionTypeName": "DO_NOT_DIAL"}},
		}}})
		b.make("campaign", c, value{
			"contactList": b.ref("contactlist", c), "queue": b.ref("queue", "Sales Renewals"), "dialingMode": "preview", "phoneColumns": []any{value{"columnName": "phone", "type": "cell"}},
			"callerName": Company, "callerAddress": fmt.Sprintf("+4144555%d99", in(b, 1, 2, 3)), "dncLists": b.refs("dnclist", "Do not call"), "ruleSets": b.refs("ruleset", c),
			"callableTimeSet": b.ref("callabletimeset", "Weekdays"), "priority": 1 + i, "division": b.division("Sales"),
		})
	}
}

var responses = []string{
	"Greeting", "Goodbye", "Please wait", "Which policy", "Which claim", "Documents needed", "Documents received", "Claim opened", "Claim closed", "Partner on the way",
	"Payment received", "Payment late", "Offer attached", "Opening hours", "Callback agreed",
	"Policy attached", "Contract changed", "Address noted", "Cancellation noted", "Complaint noted", "Survey", "Technical fault",
}

// responses are what agents write.
func (b *builder) responses() {
	for _, l := range []string{"Claims", "Sales", "Service"} {
		b.make("responselibrary", l, value{"division": b.division(l)})
		for _, r := range responses {
			b.make("response", l+": "+r, value{"libraries": b.refs("responselibrary", l), "texts": []any{
				value{"content": fmt.Sprintf("Thank you for writing to %s. %s.", strings.ToLower(l), r), "contentType": "text/plain"},
			}})
		}
	}
}

// web is the messenger on the company's pages.
func (b *builder) web() {
	b.make("webconfiguration", "Website", value{"description": "The messenger of the public pages", "languages": []any{"de-ch", "fr-ch"}, "defaultLanguage": "de-ch",
		"messenger": value{"enabled": true}})
	b.publish("Messages", flow("inboundShortMessage", "Messages", "Messages from the public pages", "targetQueue=Service Chat"))
	b.publish("Workflow", flow("workflow", "Workflow", "What happens after a call"))
	for _, t := range []string{"After a call", "After a complaint"} {
		b.make("trigger", t, value{"topicName": "v2.detail.events.conversation.{id}.customer.end", "enabled": true, "target": value{"type": "Workflow", "id": b.id("flow", "Workflow")},
			"matchCriteria": []any{value{"jsonPath": "mediaType", "operator": "Equal", "value": "VOICE"}}, "eventTTLSeconds": 60, "description": t})
	}
}

// quality is how calls are judged.
func (b *builder) quality() {
	for _, f := range []string{"Claims call", "Sales call", "Service call"} {
		var questions []any
		for i, q := range []string{"Did the agent greet by name?", "Was the matter understood?", "Was it solved?"} {
			questions = append(questions, value{"text": q, "type": "multipleChoiceQuestion", "naEnabled": false, "commentsRequired": false, "isKill": false, "isCritical": i == 2, "answerOptions": []any{
				value{"text": "Yes", "value": 1}, value{"text": "No", "value": 0},
			}})
		}
		b.make("evaluationform", f, value{"questionGroups": []any{value{"name": "The call", "type": "questionGroup", "weight": 1, "manualWeight": true, "questions": questions}}})
	}
}
