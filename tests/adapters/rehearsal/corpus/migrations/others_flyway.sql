-- # safe: flyway-lookup-table-and-fk-column
create table if not exists currencies (code char(3) primary key, digits smallint not null default 2);
insert into currencies (code) values ('EUR'), ('USD') on conflict do nothing;
alter table orders add column currency char(3) default 'EUR' references currencies;

-- # safe: flyway-fk-not-valid-on-new-column
alter table items add column supplier_id bigint;
alter table items add constraint items_supplier_fk foreign key (supplier_id) references accounts (id) not valid;
alter table items validate constraint items_supplier_fk;

-- # safe: flyway-set-settings-and-add
set local lock_timeout = '100ms';
set local client_min_messages = warning;
alter table if exists bookings add column if not exists price numeric(8, 2);

-- # breaks: flyway-cleanup
delete from sessions where expires_at is null;

-- # breaks: flyway-split-name
alter table accounts add column first_name text, add column last_name text;
update accounts set first_name = split_part(full_name, ' ', 1), last_name = split_part(full_name, ' ', 2) where id < 5;
alter table accounts drop column full_name cascade;

-- # breaks: flyway-tighten-status
alter table orders add constraint orders_status_known check (status in ('placed', 'paid', 'shipped', 'cancelled')) not valid;

-- # safe: flyway-view-over-new-table
create table stock_moves (id bigint generated always as identity primary key, product_id integer not null references products (id) on delete cascade, delta integer not null);
create view stock_now as select p.id, p.sku, p.stock + coalesce(sum(m.delta), 0) as stock from products p left join stock_moves m on m.product_id = p.id group by p.id;
grant select on stock_now to public;

-- # breaks: flyway-replace-function-by-an-error only-warned
create or replace function order_total(wanted bigint) returns numeric language plpgsql as $$
begin
    raise exception 'order_total is gone, use order_totals';
end $$;

-- # safe: flyway-alter-function-attributes
alter function slug(text) parallel safe cost 10;
alter function order_total(bigint) set statement_timeout = '5s';

-- # breaks: flyway-alter-enum-by-hand
update orders set status = 'paid' where status = 'shipped';

-- # safe: flyway-autovacuum-and-index-storage
alter table orders set (autovacuum_analyze_scale_factor = 0.02);
alter index accounts_by_tags set (fastupdate = off);

-- # breaks: flyway-change-owner
alter table drafts force row level security;
alter policy own_drafts on drafts to shop_reports;

-- # safe: flyway-policy-more-generous
create policy everybody_reads on drafts for select using (true);

-- # safe: flyway-unique-over-what-is-unique-already
-- bluegreen: no-transaction
create unique index concurrently accounts_email_and_id on accounts (email, id);

-- # breaks: flyway-unique-for-one-open-cart
-- bluegreen: no-transaction
create unique index concurrently feedback_once on feedback (coalesce(words, ''));

-- # safe: flyway-index-swap
-- bluegreen: no-transaction
create index concurrently accounts_by_plan_active on accounts (plan, active);
drop index concurrently accounts_by_plan;

-- # breaks: flyway-sequence-type
alter sequence products_id_seq as smallint maxvalue 201;

-- # fails: flyway-enum-drop-value
alter type order_status drop value 'draft';

-- # breaks: flyway-partition-truncate
truncate events_2024_01;

-- # breaks: flyway-default-added
alter table events alter column payload set default '{}';

-- # heavy: flyway-touch-all
update products p set stock = stock;
update orders set note = note where true;
