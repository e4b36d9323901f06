// The vendor's own client against the simulator: node exercise.cjs PORT CLIENT_ID CLIENT_SECRET. It prints one line for each
// thing that held, and exits with 1 at the first that did not.
const platform = require('purecloud-platform-client-v2');
const [port, id, secret] = process.argv.slice(2);
const client = platform.ApiClient.instance;
client.setGateway({ host: '127.0.0.1', protocol: 'http', port: Number(port), path_params_login: 'login', path_params_api: '' });

const api = {};
for (const name of ['Routing', 'Architect', 'Authorization', 'Objects', 'Users', 'Groups', 'Teams', 'Locations', 'Outbound', 'ResponseManagement', 'Integrations', 'WebDeployments', 'Quality', 'ProcessAutomation', 'Organization', 'Audit', 'Notifications'])
  api[name] = new platform[name + 'Api']();

function check(what, ok, seen) {
  if (!ok) {
    console.error('NOT SO: ' + what + ': ' + JSON.stringify(seen));
    process.exit(1);
  }
  console.log('ok: ' + what);
}
async function refused(what, status, call) {
  try {
    check(what, false, await call());
  } catch (e) {
    check(what + ' is refused with ' + status, e.status === status, e.status || String(e));
  }
}

// A kind: how it is listed, made, changed and deleted; old is the wrong version that must be refused.
async function kind(name, k) {
  const made = await k.create();
  check(name + ': created', made.id && made.selfUri, made);
  const first = await k.list();
  check(name + ': listed', first.entities.some((e) => e.id === made.id), first);
  if (k.get) check(name + ': read', (await k.get(made.id)).id === made.id);
  if (k.update) {
    const now = await k.update(made.id, made);
    check(name + ': changed', now.id === made.id && (made.version === undefined || Number(now.version) > Number(made.version)), now);
    if (k.conflict) await refused(name + ': an old version', k.conflict, () => k.update(made.id, made));
  }
  if (k.twice !== false) await refused(name + ': a second one of the name', 409, k.create);
  if (k.remove) {
    await k.remove(made.id);
    if (k.get) await refused(name + ': what was deleted', 404, () => k.get(made.id));
  }
  return made;
}

async function main() {
  await client.loginClientCredentialsGrant(id, secret);
  const me = await api.Organization.getOrganizationsMe();
  check('login', me.name === 'Acme', me);
  await refused('a wrong id', 404, () => api.Routing.getRoutingQueue('none'));
  const keep = {};
  keep.division = await api.Authorization.postAuthorizationDivisions({ name: 'Keep', description: '' });
  keep.user = await api.Users.postUsers({ name: 'Ada', email: 'ada@example.org', divisionId: keep.division.id });
  keep.skill = await api.Routing.postRoutingSkills({ name: 'Keep' });
  keep.library = await api.ResponseManagement.postResponsemanagementLibraries({ name: 'Keep' });
  keep.flow = await api.Architect.postFlows({ name: 'Keep', type: 'WORKFLOW' });
  keep.schedule = await api.Architect.postArchitectSchedules({ name: 'Keep', start: '2026-01-01T08:00:00.000000', end: '2026-01-01T18:00:00.000000' });

  const R = api.Routing, A = api.Architect, O = api.Outbound, M = api.ResponseManagement;
  const times = { start: '2026-01-01T08:00:00.000000', end: '2026-01-01T18:00:00.000000' };
  await kind('division', { create: () => api.Authorization.postAuthorizationDivisions({ name: 'D', description: '' }), list: () => api.Authorization.getAuthorizationDivisions({ pageSize: 100 }), get: (i) => api.Authorization.getAuthorizationDivision(i), update: (i) => api.Authorization.putAuthorizationDivision(i, { name: 'D2', description: 'x' }).then((d) => api.Authorization.putAuthorizationDivision(i, { name: 'D', description: 'x' })), remove: (i) => api.Authorization.deleteAuthorizationDivision(i) });
  await kind('role', { create: () => api.Authorization.postAuthorizationRoles({ name: 'R', permissionPolicies: [] }), list: () => api.Authorization.getAuthorizationRoles({ pageSize: 100 }), get: (i) => api.Authorization.getAuthorizationRole(i), update: (i) => api.Authorization.putAuthorizationRole(i, { name: 'R', description: 'x' }), remove: (i) => api.Authorization.deleteAuthorizationRole(i) });
  await kind('skill', { create: () => R.postRoutingSkills({ name: 'S' }), list: () => R.getRoutingSkills({ pageSize: 100 }), get: (i) => R.getRoutingSkill(i), remove: (i) => R.deleteRoutingSkill(i) });
  await kind('language', { create: () => R.postRoutingLanguages({ name: 'L' }), list: () => R.getRoutingLanguages({ pageSize: 100 }), get: (i) => R.getRoutingLanguage(i), remove: (i) => R.deleteRoutingLanguage(i) });
  await kind('wrap-up code', { create: () => R.postRoutingWrapupcodes({ name: 'W' }), list: () => R.getRoutingWrapupcodes({ pageSize: 100 }), get: (i) => R.getRoutingWrapupcode(i), update: (i) => R.putRoutingWrapupcode(i, { name: 'W', description: 'x' }), remove: (i) => R.deleteRoutingWrapupcode(i) });
  await kind('skill group', { create: () => R.postRoutingSkillgroups({ name: 'G', skillConditions: [] }), list: () => R.getRoutingSkillgroups({ pageSize: 100 }), get: (i) => R.getRoutingSkillgroup(i), update: (i) => R.patchRoutingSkillgroup(i, { name: 'G', description: 'x', skillConditions: [] }), remove: (i) => R.deleteRoutingSkillgroup(i) });
  const queue = await kind('queue', { create: () => R.postRoutingQueues({ name: 'Q', division: { id: keep.division.id } }), list: () => R.getRoutingQueues({ pageSize: 100 }), get: (i) => R.getRoutingQueue(i), update: (i) => R.putRoutingQueue(i, { name: 'Q', description: 'x' }) });
  await R.postRoutingQueueMembers(queue.id, [{ id: keep.user.id }]);
  check('queue: members', (await R.getRoutingQueueMembers(queue.id, { pageSize: 100 })).entities[0].id === keep.user.id);
  await R.postRoutingQueueMembers(queue.id, [{ id: keep.user.id }], { _delete: true });
  check('queue: members are removed', (await R.getRoutingQueueMembers(queue.id, { pageSize: 100 })).entities.length === 0);
  await refused('queue: a flow that does not exist', 400, () => R.putRoutingQueue(queue.id, { name: 'Q', queueFlow: { id: 'none' } }));
  await kind('schedule', { conflict: 409, create: () => A.postArchitectSchedules({ name: 'S', ...times }), list: () => A.getArchitectSchedules({ pageSize: 100 }), get: (i) => A.getArchitectSchedule(i), update: (i, m) => A.putArchitectSchedule(i, { ...m, description: 'x' }), remove: (i) => A.deleteArchitectSchedule(i) });
  await kind('schedule group', { conflict: 409, create: () => A.postArchitectSchedulegroups({ name: 'S', openSchedules: [{ id: keep.schedule.id }] }), list: () => A.getArchitectSchedulegroups({ pageSize: 100 }), get: (i) => A.getArchitectSchedulegroup(i), update: (i, m) => A.putArchitectSchedulegroup(i, { ...m, timeZone: 'Europe/Zurich' }) });
  await refused('schedule: deletion while it is used', 409, () => A.deleteArchitectSchedule(keep.schedule.id));
  await kind('IVR', { conflict: 409, create: () => A.postArchitectIvrs({ name: 'I', openHoursFlow: { id: keep.flow.id } }), list: () => A.getArchitectIvrs({ pageSize: 100 }), get: (i) => A.getArchitectIvr(i), update: (i, m) => A.putArchitectIvr(i, { ...m, description: 'x' }), remove: (i) => A.deleteArchitectIvr(i) });
  await kind('emergency group', { conflict: 409, create: () => A.postArchitectEmergencygroups({ name: 'E' }), list: () => A.getArchitectEmergencygroups({ pageSize: 100 }), get: (i) => A.getArchitectEmergencygroup(i), update: (i, m) => A.putArchitectEmergencygroup(i, { ...m, description: 'x' }), remove: (i) => A.deleteArchitectEmergencygroup(i) });
  await kind('prompt', { create: () => A.postArchitectPrompts({ name: 'P' }), list: () => A.getArchitectPrompts({ pageSize: 100 }), get: (i) => A.getArchitectPrompt(i), update: (i) => A.putArchitectPrompt(i, { name: 'P', description: 'x' }), remove: (i) => A.deleteArchitectPrompt(i) });
  await kind('data table', { create: () => A.postFlowsDatatables({ name: 'T', schema: { type: 'object', properties: { key: { type: 'string' } } } }), list: () => A.getFlowsDatatables({ pageSize: 100 }), get: (i) => A.getFlowsDatatable(i), remove: (i) => A.deleteFlowsDatatable(i) });
  await kind('outcome', { create: () => A.postFlowsOutcomes({ body: { name: 'O' } }), list: () => A.getFlowsOutcomes({ pageSize: 100 }), get: (i) => A.getFlowsOutcome(i), update: (i) => A.putFlowsOutcome(i, { body: { name: 'O', description: 'x' } }) });
  await kind('milestone', { create: () => A.postFlowsMilestones({ body: { name: 'M' } }), list: () => A.getFlowsMilestones({ pageSize: 100 }), get: (i) => A.getFlowsMilestone(i), update: (i) => A.putFlowsMilestone(i, { body: { name: 'M', description: 'x' } }), remove: (i) => A.deleteFlowsMilestone(i) });
  await kind('flow', { create: () => A.postFlows({ name: 'F', type: 'INBOUNDCALL' }), list: () => A.getFlows({ pageSize: 100 }), get: (i) => A.getFlow(i), update: (i) => A.putFlow(i, { name: 'F', type: 'INBOUNDCALL', description: 'x' }), remove: (i) => A.deleteFlow(i) });
  await kind('group', { conflict: 409, create: () => api.Groups.postGroups({ name: 'G', type: 'official', rulesVisible: true, visibility: 'public' }), list: () => api.Groups.getGroups({ pageSize: 100 }), get: (i) => api.Groups.getGroup(i), update: (i, m) => api.Groups.putGroup(i, { body: { name: 'G', version: m.version, description: 'x', rulesVisible: true, visibility: 'public' } }), remove: (i) => api.Groups.deleteGroup(i) });
  await kind('team', { create: () => api.Teams.postTeams({ name: 'T' }), list: () => api.Teams.getTeams({ pageSize: 100 }), get: (i) => api.Teams.getTeam(i), update: (i) => api.Teams.patchTeam(i, { name: 'T', description: 'x' }), remove: (i) => api.Teams.deleteTeam(i) });
  await kind('location', { conflict: 409, create: () => api.Locations.postLocations({ name: 'L' }), list: () => api.Locations.getLocations({ pageSize: 100 }), get: (i) => api.Locations.getLocation(i), update: (i, m) => api.Locations.patchLocation(i, { name: 'L', version: m.version, notes: 'x' }), remove: (i) => api.Locations.deleteLocation(i) });
  const list = await kind('contact list', { conflict: 400, create: () => O.postOutboundContactlists({ name: 'C', columnNames: ['phone'] }), list: () => O.getOutboundContactlists({ pageSize: 100 }), get: (i) => O.getOutboundContactlist(i), update: (i, m) => O.putOutboundContactlist(i, { ...m, trimWhitespace: true }) });
  await kind('DNC list', { conflict: 400, create: () => O.postOutboundDnclists({ name: 'N', dncSourceType: 'rds' }), list: () => O.getOutboundDnclists({ pageSize: 100 }), get: (i) => O.getOutboundDnclist(i), update: (i, m) => O.putOutboundDnclist(i, { ...m, contactMethod: 'Phone' }), remove: (i) => O.deleteOutboundDnclist(i) });
  await kind('campaign', { conflict: 400, create: () => O.postOutboundCampaigns({ name: 'C', contactList: { id: list.id }, queue: { id: queue.id }, dialingMode: 'preview', phoneColumns: [{ columnName: 'phone', type: 'cell' }], callerName: 'Acme', callerAddress: '+41445550100' }), list: () => O.getOutboundCampaigns({ pageSize: 100 }), get: (i) => O.getOutboundCampaign(i), update: (i, m) => O.putOutboundCampaign(i, { ...m, priority: 2 }), remove: (i) => O.deleteOutboundCampaign(i) });
  await kind('response library', { conflict: 409, create: () => M.postResponsemanagementLibraries({ name: 'L' }), list: () => M.getResponsemanagementLibraries({ pageSize: 100 }), get: (i) => M.getResponsemanagementLibrary(i), update: (i, m) => M.putResponsemanagementLibrary(i, { name: 'L', version: m.version }), remove: (i) => M.deleteResponsemanagementLibrary(i) });
  await kind('response', { twice: false, conflict: 409, create: () => M.postResponsemanagementResponses({ name: 'R', libraries: [{ id: keep.library.id }], texts: [{ content: 'Hello' }] }), list: () => M.getResponsemanagementResponses(keep.library.id, { pageSize: 100 }), get: (i) => M.getResponsemanagementResponse(i), update: (i, m) => M.putResponsemanagementResponse(i, { name: 'R', version: m.version, libraries: m.libraries, texts: [{ content: 'Good morning' }] }), remove: (i) => M.deleteResponsemanagementResponse(i) });
  await kind('integration', { twice: false, create: () => api.Integrations.postIntegrations({ body: { name: 'I', integrationType: { id: 'custom-rest-actions' } } }), list: () => api.Integrations.getIntegrations({ pageSize: 100 }), get: (i) => api.Integrations.getIntegration(i), update: (i) => api.Integrations.patchIntegration(i, { body: { intendedState: 'ENABLED' } }), remove: (i) => api.Integrations.deleteIntegration(i) });
  await kind('trigger', { conflict: 409, create: () => api.ProcessAutomation.postProcessautomationTriggers({ name: 'T', topicName: 'v2.a', enabled: true, target: { type: 'Workflow', id: keep.flow.id } }), list: () => api.ProcessAutomation.getProcessautomationTriggers({ pageSize: '100' }), get: (i) => api.ProcessAutomation.getProcessautomationTrigger(i), update: (i, m) => api.ProcessAutomation.putProcessautomationTrigger(i, { name: 'T', version: m.version, topicName: 'v2.a', enabled: false, target: { type: 'Workflow', id: keep.flow.id } }), remove: (i) => api.ProcessAutomation.deleteProcessautomationTrigger(i) });
  await kind('evaluation form', { create: () => api.Quality.postQualityFormsEvaluations({ name: 'F', questionGroups: [] }), list: () => api.Quality.getQualityFormsEvaluations({ pageSize: 100 }), get: (i) => api.Quality.getQualityFormsEvaluation(i), update: (i) => api.Quality.putQualityFormsEvaluation(i, { name: 'F', questionGroups: [], dialect: 'en-US' }), remove: (i) => api.Quality.deleteQualityFormsEvaluation(i) });

  for (let n = 0; n < 30; n++) await R.postRoutingSkills({ name: 'Page ' + n });
  const names = [];
  for (let n = 1, pages = 1; n <= pages; n++) {
    const page = await R.getRoutingSkills({ pageSize: 12, pageNumber: n });
    pages = page.pageCount;
    names.push(...page.entities.map((e) => e.name));
  }
  check('paging by number', names.length === 31 && new Set(names).size === 31, names);
  const now = new Date();
  const interval = new Date(now - 3600000).toISOString() + '/' + new Date(+now + 3600000).toISOString();
  const audits = await api.Audit.postAuditsQueryRealtime({ interval, serviceName: 'ContactCenter', pageSize: 100 });
  check('audit', audits.entities.some((a) => a.entity.id === queue.id), audits);
  const channel = await api.Notifications.postNotificationsChannels();
  await api.Notifications.putNotificationsChannelSubscriptions(channel.id, [{ id: 'v2.flows.' + keep.flow.id }]);
  check('notification channel', channel.connectUri.startsWith('ws://127.0.0.1:'), channel);
  const limited = [];
  for (let n = 0; n < 320 && !limited.length; n++) await api.Organization.getOrganizationsMe().catch((e) => limited.push(e));
  check('429 above 300 requests a minute', limited.length && limited[0].status === 429, limited);
}

main().catch((e) => {
  console.error(e.stack || JSON.stringify(e.body || e));
  process.exit(1);
});
