-- Beside the database of Prefect, which POSTGRES_DB makes. Run once, by PostgreSQL's image, on an empty volume.
CREATE DATABASE ledger;
