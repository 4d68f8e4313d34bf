-- revision 0007
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE jobs (
	id CHAR(32) NOT NULL,
	owner VARCHAR(64) NOT NULL,
	type VARCHAR(20) NOT NULL,
	status VARCHAR(20) NOT NULL,
	source_language VARCHAR(16) NOT NULL,
	target_language VARCHAR(16),
	options JSON NOT NULL,
	priority INTEGER NOT NULL,
	input JSON NOT NULL,
	metadata JSON NOT NULL,
	models JSON NOT NULL,
	warnings JSON NOT NULL,
	duration FLOAT,
	progress FLOAT NOT NULL,
	stage VARCHAR(20),
	error_code VARCHAR(64),
	error_message VARCHAR,
	error_hint VARCHAR,
	run INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	chunks_total INTEGER,
	event_seq INTEGER NOT NULL,
	cancel_requested_at DATETIME,
	created_at DATETIME NOT NULL,
	started_at DATETIME,
	finished_at DATETIME,
	expires_at DATETIME,
	deleted_at DATETIME, key_id CHAR(32), webhook_url VARCHAR(2000), webhook_secret VARCHAR(200), queued_at DATETIME, mending BOOLEAN DEFAULT 0 NOT NULL, message_format INTEGER DEFAULT '1' NOT NULL, dub JSON, traceparent VARCHAR(55), turn FLOAT DEFAULT '0' NOT NULL,
	CONSTRAINT pk_jobs PRIMARY KEY (id)
);

CREATE INDEX ix_jobs_created_at ON jobs (created_at);

CREATE INDEX ix_jobs_expires_at ON jobs (expires_at);

CREATE TABLE tasks (
	id CHAR(32) NOT NULL,
	job_id CHAR(32) NOT NULL,
	run INTEGER NOT NULL,
	chunk INTEGER NOT NULL,
	stage VARCHAR(20) NOT NULL,
	status VARCHAR(20) NOT NULL,
	attempt INTEGER NOT NULL,
	given_back INTEGER NOT NULL,
	seconds FLOAT NOT NULL,
	progress FLOAT NOT NULL,
	worker VARCHAR(128),
	lease_until DATETIME,
	queued_at DATETIME,
	started_at DATETIME,
	finished_at DATETIME,
	published INTEGER NOT NULL,
	error_code VARCHAR(64),
	error_message VARCHAR,
	message BLOB, told INTEGER DEFAULT '0' NOT NULL, released_at DATETIME,
	CONSTRAINT pk_tasks PRIMARY KEY (id),
	CONSTRAINT fk_tasks_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE,
	CONSTRAINT uq_tasks_job_id_run_chunk_stage UNIQUE (job_id, run, chunk, stage)
);

CREATE INDEX ix_tasks_status_lease ON tasks (status, lease_until);

CREATE TABLE outbox (
	id INTEGER NOT NULL,
	task_id CHAR(32),
	queue VARCHAR(20) NOT NULL,
	priority INTEGER NOT NULL,
	message BLOB NOT NULL,
	created_at DATETIME NOT NULL,
	not_before DATETIME NOT NULL,
	leased_until DATETIME,
	published_at DATETIME, owner VARCHAR(64) DEFAULT '' NOT NULL, turn FLOAT DEFAULT '0' NOT NULL, cost FLOAT DEFAULT '1' NOT NULL,
	CONSTRAINT pk_outbox PRIMARY KEY (id)
);

CREATE INDEX ix_outbox_due ON outbox (published_at, not_before);

CREATE INDEX ix_outbox_task_id ON outbox (task_id);

CREATE TABLE artifacts (
	id CHAR(32) NOT NULL,
	job_id CHAR(32) NOT NULL,
	run INTEGER NOT NULL,
	chunk INTEGER NOT NULL,
	stage VARCHAR(20) NOT NULL,
	name VARCHAR(200) NOT NULL,
	media_type VARCHAR(100) NOT NULL,
	size BIGINT NOT NULL,
	sha256 VARCHAR(64) NOT NULL,
	storage_key VARCHAR(400) NOT NULL,
	revision INTEGER NOT NULL,
	created_at DATETIME NOT NULL, content BLOB,
	CONSTRAINT pk_artifacts PRIMARY KEY (id),
	CONSTRAINT fk_artifacts_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE,
	CONSTRAINT uq_artifacts_job_id_run_chunk_stage_name UNIQUE (job_id, run, chunk, stage, name)
);

CREATE INDEX ix_artifacts_storage_key ON artifacts (storage_key);

CREATE TABLE events (
	job_id CHAR(32) NOT NULL,
	seq INTEGER NOT NULL,
	type VARCHAR(40) NOT NULL,
	data JSON NOT NULL,
	created_at DATETIME NOT NULL,
	CONSTRAINT pk_events PRIMARY KEY (job_id, seq),
	CONSTRAINT fk_events_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE TABLE workers (
	id VARCHAR(128) NOT NULL,
	host VARCHAR(255) NOT NULL,
	pid INTEGER NOT NULL,
	queues VARCHAR(200) NOT NULL,
	task_id CHAR(32),
	memory BIGINT NOT NULL,
	seen_at DATETIME NOT NULL, release VARCHAR(40) DEFAULT '' NOT NULL,
	CONSTRAINT pk_workers PRIMARY KEY (id)
);

CREATE INDEX ix_jobs_owner_id ON jobs (owner, id);

CREATE INDEX ix_jobs_key_id_status ON jobs (key_id, status);

CREATE INDEX ix_jobs_order ON jobs (status, priority, queued_at, id);

CREATE INDEX ix_tasks_stage_finished ON tasks (stage, finished_at);

CREATE TABLE api_keys (
	id CHAR(32) NOT NULL,
	name VARCHAR(100) NOT NULL,
	owner VARCHAR(64) NOT NULL,
	prefix VARCHAR(16) NOT NULL,
	key_hash VARCHAR(64) NOT NULL,
	scopes JSON NOT NULL,
	webhook_url VARCHAR(2000),
	webhook_secret VARCHAR(200) NOT NULL,
	requests_per_minute INTEGER,
	jobs_in_flight INTEGER,
	created_at DATETIME NOT NULL,
	expires_at DATETIME,
	revoked_at DATETIME,
	last_used_at DATETIME,
	CONSTRAINT pk_api_keys PRIMARY KEY (id),
	CONSTRAINT uq_api_keys_prefix UNIQUE (prefix)
);

CREATE INDEX ix_api_keys_owner ON api_keys (owner);

CREATE TABLE rate_limits (
	key_id CHAR(32) NOT NULL,
	full_at DATETIME NOT NULL,
	CONSTRAINT pk_rate_limits PRIMARY KEY (key_id),
	CONSTRAINT fk_rate_limits_key_id_api_keys FOREIGN KEY(key_id) REFERENCES api_keys (id) ON DELETE CASCADE
);

CREATE TABLE idempotency_keys (
	id CHAR(32) NOT NULL,
	owner VARCHAR(64) NOT NULL,
	method VARCHAR(10) NOT NULL,
	path VARCHAR(200) NOT NULL,
	"key" VARCHAR(255) NOT NULL,
	claim CHAR(32),
	seen_at DATETIME NOT NULL,
	fingerprint VARCHAR(64),
	job_id CHAR(32),
	status INTEGER,
	headers JSON NOT NULL,
	body BLOB,
	expires_at DATETIME NOT NULL,
	CONSTRAINT pk_idempotency_keys PRIMARY KEY (id),
	CONSTRAINT uq_idempotency_keys_owner_method_path_key UNIQUE (owner, method, path, "key")
);

CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at);

CREATE INDEX ix_idempotency_keys_job_id ON idempotency_keys (job_id);

CREATE TABLE webhook_deliveries (
	id CHAR(32) NOT NULL,
	job_id CHAR(32) NOT NULL,
	type VARCHAR(40) NOT NULL,
	url VARCHAR(2000) NOT NULL,
	secret VARCHAR(200) NOT NULL,
	payload JSON NOT NULL,
	status VARCHAR(20) NOT NULL,
	attempts INTEGER NOT NULL,
	next_attempt_at DATETIME NOT NULL,
	leased_until DATETIME,
	give_up_at DATETIME NOT NULL,
	created_at DATETIME NOT NULL,
	last_attempt_at DATETIME,
	response_status INTEGER,
	error VARCHAR(500),
	CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id),
	CONSTRAINT fk_webhook_deliveries_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE INDEX ix_webhook_deliveries_job_id ON webhook_deliveries (job_id);

CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (status, next_attempt_at);

CREATE TABLE edits (
	job_id CHAR(32) NOT NULL,
	utterance_id VARCHAR(40) NOT NULL,
	chunk INTEGER NOT NULL,
	fields JSON NOT NULL,
	original JSON NOT NULL,
	CONSTRAINT pk_edits PRIMARY KEY (job_id, utterance_id),
	CONSTRAINT fk_edits_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE INDEX ix_jobs_status_finished ON jobs (status, finished_at);

CREATE INDEX ix_jobs_deleted_at ON jobs (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE attempts (
	task_id CHAR(32) NOT NULL,
	number INTEGER NOT NULL,
	job_id CHAR(32) NOT NULL,
	stage VARCHAR(20) NOT NULL,
	worker VARCHAR(128) NOT NULL,
	queued_at DATETIME,
	started_at DATETIME NOT NULL,
	ended_at DATETIME NOT NULL,
	outcome VARCHAR(20) NOT NULL,
	error_code VARCHAR(64),
	error_message VARCHAR,
	CONSTRAINT pk_attempts PRIMARY KEY (task_id, number),
	CONSTRAINT fk_attempts_task_id_tasks FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
	CONSTRAINT fk_attempts_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE INDEX ix_attempts_job_id ON attempts (job_id);

CREATE INDEX ix_attempts_stage_ended ON attempts (stage, ended_at, outcome, started_at);

CREATE INDEX ix_attempts_worker ON attempts (worker, job_id);

CREATE TABLE sessions (
	id CHAR(32) NOT NULL,
	key_id CHAR(32) NOT NULL,
	token_hash VARCHAR(64) NOT NULL,
	created_at DATETIME NOT NULL,
	expires_at DATETIME NOT NULL,
	CONSTRAINT pk_sessions PRIMARY KEY (id),
	CONSTRAINT uq_sessions_token_hash UNIQUE (token_hash),
	CONSTRAINT fk_sessions_key_id_api_keys FOREIGN KEY(key_id) REFERENCES api_keys (id) ON DELETE CASCADE
);

CREATE INDEX ix_sessions_key_id ON sessions (key_id);

CREATE INDEX ix_sessions_expires_at ON sessions (expires_at);

CREATE TABLE pauses (
	id CHAR(32) NOT NULL,
	queue VARCHAR(20) NOT NULL,
	host VARCHAR(255) NOT NULL,
	mode VARCHAR(20) NOT NULL,
	reason VARCHAR(500) NOT NULL,
	"by" VARCHAR(128) NOT NULL,
	created_at DATETIME NOT NULL,
	CONSTRAINT pk_pauses PRIMARY KEY (id),
	CONSTRAINT uq_pauses_queue_host UNIQUE (queue, host)
);

CREATE TABLE operator_actions (
	id CHAR(32) NOT NULL,
	at DATETIME NOT NULL,
	"by" VARCHAR(128) NOT NULL,
	action VARCHAR(40) NOT NULL,
	target VARCHAR NOT NULL,
	count INTEGER NOT NULL,
	detail JSON NOT NULL,
	CONSTRAINT pk_operator_actions PRIMARY KEY (id)
);

CREATE INDEX ix_operator_actions_at ON operator_actions (at);

CREATE TABLE queue_samples (
	at DATETIME NOT NULL,
	queue VARCHAR(20) NOT NULL,
	depth INTEGER NOT NULL,
	running INTEGER NOT NULL,
	oldest_seconds FLOAT NOT NULL,
	workers INTEGER NOT NULL,
	CONSTRAINT pk_queue_samples PRIMARY KEY (at, queue)
);

CREATE TABLE maintenance_rounds (
	actor VARCHAR(64) NOT NULL,
	scheduled_at DATETIME,
	started_at DATETIME,
	finished_at DATETIME,
	error VARCHAR(500),
	result JSON NOT NULL,
	CONSTRAINT pk_maintenance_rounds PRIMARY KEY (actor)
);

CREATE TABLE snapshots (
	name VARCHAR(40) NOT NULL,
	computed_at DATETIME NOT NULL,
	leased_until DATETIME,
	data JSON NOT NULL,
	CONSTRAINT pk_snapshots PRIMARY KEY (name)
);

CREATE INDEX ix_tasks_released_at ON tasks (released_at) WHERE released_at IS NOT NULL;

CREATE INDEX ix_outbox_turn ON outbox (queue, priority, owner, turn, id) WHERE published_at IS NULL;

CREATE TABLE shares (
	owner VARCHAR(64) NOT NULL,
	line VARCHAR(20) NOT NULL,
	start FLOAT NOT NULL,
	finish FLOAT NOT NULL,
	turn FLOAT NOT NULL,
	updated_at DATETIME NOT NULL,
	CONSTRAINT pk_shares PRIMARY KEY (owner, line)
);

CREATE INDEX ix_shares_line_start ON shares (line, start);

